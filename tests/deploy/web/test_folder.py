import json
import re
from dataclasses import replace
from importlib.resources import files

import pytest

from linnet.deploy.bundle import read_bundle
from linnet.deploy.export import export
from linnet.deploy.web.folder import about, page_beside, page_files, split_web, web
from linnet.errors import FileError, LinnetError, SettingError

PAGE = {one.name: one.read_text() for one in files("linnet.deploy.web").joinpath("page").iterdir()}


def test_a_folder_with_all_that_the_page_needs(sealed, fake_ort, tmp_path):
    page = web(sealed, out=tmp_path / "page")
    found = {path.name: path.read_bytes() for path in page.folder.iterdir()}
    assert found == page_files(read_bundle(sealed))
    assert set(found) == {*PAGE, *fake_ort, "model.onnx", "facts.json"}
    assert found["model.onnx"] == (sealed / "model.onnx").read_bytes()
    assert page.bytes == sum(map(len, found.values()))
    facts = json.loads(found["facts.json"])
    bundle = read_bundle(sealed)
    assert facts["classes"] == list(bundle.classes)
    assert facts["preprocess"] == bundle.preprocess.to_json()
    assert facts["model"]["input"] == "float32"
    assert len(facts["check"]["answers"]) == len(bundle.classes)
    assert oct(page.folder.stat().st_mode)[-3:] == "755"


def test_beside_the_bundle_and_never_over_anything(bundle, fake_ort):
    first, second = web(bundle), web(bundle.parent)
    stem = bundle.name.removesuffix(".linnet")
    assert [first.folder.name, second.folder.name] == [f"{stem}-web", f"{stem}-web-2"]
    with pytest.raises(SettingError, match="something there already"):
        web(bundle, out=first.folder)
    assert str(first.folder) in str(first)
    assert first.to_json() == {"page": str(first.folder), "bytes": first.bytes}


def test_what_a_browser_cannot_do_is_not_made(sealed, fake_ort):
    bundle = read_bundle(sealed)
    for preprocess in (replace(bundle.preprocess, upright=False), replace(bundle.preprocess, antialias=False)):
        with pytest.raises(SettingError, match="the page cannot do that"):
            page_files(replace(bundle, preprocess=preprocess))
    other = replace(bundle.runtimes[0], runtime="openvino")
    with pytest.raises(SettingError, match="export RUN --to onnx"):
        page_files(replace(bundle, runtimes=(other,)))


def test_a_damaged_bundle_makes_no_page(bundle, fake_ort, tmp_path):
    (bundle / "model.onnx").write_bytes(b"x")
    with pytest.raises(LinnetError, match="damaged"):
        web(bundle, out=tmp_path / "page")
    assert not list(tmp_path.glob("*page*"))


def test_the_line_about_it_says_accuracy_with_its_interval(sealed):
    bundle = read_bundle(sealed)
    assert re.search(
        r"4 classes · 64 px · .* % right on 19 test photos \(95 % interval [\d.]+ to [\d.]+\)", about(bundle)
    )
    assert about(replace(bundle, facts={})) == "mobilenetv3_small_035 · 4 classes · 64 px"


@pytest.mark.parametrize("name", sorted(PAGE))
def test_nothing_is_asked_of_another_address_and_nothing_is_read_as_markup(name):
    text = PAGE[name]
    if name.endswith((".html", ".js", ".css")):
        without = text.replace("http://localhost:8000", "")  # an address in words, for a person
        assert not re.search(r"https?://|//\w+\.\w|url\(|@import", without)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text)
    assert text.count("\n") <= 400


def test_the_policy_of_the_page_lets_nothing_in():
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', PAGE["index.html"])
    rules = dict(rule.strip().split(" ", 1) for rule in policy[1].split(";"))
    assert rules["default-src"] == "'none'"
    allowed = {"'self'", "'none'", "'wasm-unsafe-eval'", "blob:", "data:"}
    assert {source for rule in rules.values() for source in rule.split()} <= allowed
    assert rules["script-src"] == "'self' 'wasm-unsafe-eval'"
    assert not re.search(r"<script(?![^>]*\bsrc=)|\bon\w+=|\bstyle=", PAGE["index.html"])


def test_each_module_finds_what_it_imports(fake_ort):
    for name, text in PAGE.items():
        for module in re.findall(r'from "\./([^"]+)"', text):
            assert module in PAGE or module in fake_ort, f"{name} imports {module}"


def test_export_to_web_makes_the_bundle_and_the_page(run, fake_ort, tmp_path):
    made = export(run, to=("web",), out=tmp_path / "shirts.linnet", workers=0)
    assert (made.runtimes, made.errors) == (("onnx",), ())
    assert str(made).splitlines()[0] == str(tmp_path / "shirts.linnet")
    assert f"page: {tmp_path / 'shirts-web'} (" in str(made)
    facts = json.loads((tmp_path / "shirts-web" / "facts.json").read_text())
    assert facts["name"] == "shirts"


def test_what_web_asks_of_an_export(fake_ort, monkeypatch):
    assert split_web(("openvino",)) == (("openvino",), False)
    assert split_web(("openvino", "web")) == (("onnx", "openvino"), True)
    assert split_web(("web", "onnx")) == (("onnx",), True)
    assert split_web(("web", "auto")) == (("auto",), True)

    def missing():
        raise FileError("bring it")

    monkeypatch.setattr("linnet.deploy.web.package.package_files", missing)
    with pytest.raises(FileError):  # before anything is exported
        split_web(("web",))
    split_web(("onnx",))  # and only then


def test_where_no_page_can_be_made_the_bundle_stays(tmp_path):
    notes, errors = page_beside(tmp_path)
    assert (notes, len(errors)) == ((), 1)
    assert errors[0].startswith("web: ")
