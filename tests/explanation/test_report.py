import base64
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from pages import NASTY, check_inert, page
from PIL import Image

from linnet.errors import SettingError
from linnet.explanation.report import report


def test_the_whole_report(make_run):
    run = make_run()
    path = report(run)
    assert path == run / "report.html"
    text = path.read_text(encoding="utf-8")
    found = check_inert(text)
    metrics = json.loads((run / "predictions.json").read_text())["metrics"]
    assert f"10 classes, {metrics['top1'] * 100:.1f}\u00a0% right on photos it had never seen" in text
    low, high = metrics["top1_interval"]
    assert f"95\u00a0% interval {low * 100:.1f} to {high * 100:.1f}\u00a0%, n\u00a0=\u00a0372" in text
    for said in ("2.71 ms", "6.11 MB", "passed", "2,445 photos", "trained from scratch", "cosine: warmup 1", "RandAugment",
                 "the JPEG is truncated", "train/hat/page.jpg", "calibration error is", "stages.8", "1,528,106", "28.8 M",
                 "onnxruntime 1.23.2", "linnet train clothing --recipe run/recipe.json", "Epoch 7 was the best",
                 "no picture: missing"):  # fmt: skip
        assert said in found.text, said
    order = [attributes["id"] for attributes in found.all("h2")]
    assert order == [
        "training",
        "curves",
        "confusion",
        "classes",
        "mistakes",
        "photos",
        "calibration",
        "network",
        "certificate",
        "again",
    ]
    assert [a["href"] for a in found.all("a")] == [f"#{name}" for name in order]
    assert len([s for s in found.all("svg") if s.get("class", "").startswith("chart")]) == 7  # six curves, calibration
    assert "Left out" not in found.text
    assert path.stat().st_size < 400_000


def test_mistakes_are_small_jpegs_of_the_photos(make_run):
    run = make_run()
    found = page(report(run))
    pictures = [i["src"].removeprefix("data:image/jpeg;base64,") for i in found.all("img")]
    assert len(pictures) == 11
    for data in pictures:
        with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
            assert picture.format == "JPEG"
            assert max(picture.size) <= 224
            assert picture.size[0] > picture.size[1]  # as in the file, not squashed
    items = json.loads((run / "predictions.json").read_text())["items"]
    first = max((i for i in items if i["label"] != i["predicted"]), key=lambda i: i["confidence"])
    assert found.all("img")[0]["title"] == first["path"]


def test_the_same_folder_gives_the_same_bytes_and_nothing_else_is_left(make_run, tmp_path):
    run = make_run(n=60)
    before = sorted(run.rglob("*"))
    first, second = report(run, out=tmp_path / "a" / "one.html"), report(run, out=tmp_path / "two.html")
    assert first.read_bytes() == second.read_bytes()
    assert sorted(run.rglob("*")) == before
    assert list((tmp_path / "a").iterdir()) == [first]


def test_no_place_on_the_disk_is_told(make_run, tmp_path):
    run = make_run(n=60)
    items = json.loads((run / "predictions.json").read_text())
    for item in items["items"]:
        item["path"] = str(tmp_path / "clothing" / item["path"])
    (run / "predictions.json").write_text(json.dumps(items))
    (run / "run.linnet" / "model.onnx").write_bytes(b"changed")
    text = report(run).read_text(encoding="utf-8")
    assert str(tmp_path) not in text
    assert page(run / "report.html").all("img")  # found all the same


def poisoned(value: Any, words: Iterator[str]) -> Any:
    if isinstance(value, dict):
        return {
            k: v if k in ("kind", "verdict", "photos", "root", "op") else poisoned(v, words) for k, v in value.items()
        }
    if isinstance(value, list):
        return [poisoned(v, words) for v in value]
    return f"{value}{next(words)}" if isinstance(value, str) else value


def test_names_and_texts_are_inert_wherever_they_come_from(make_run):
    from itertools import cycle

    from linnet.deploy.bundle import seal

    words = cycle(NASTY)
    run = make_run(names=[*NASTY[:7], "plain"], n=80)
    for name in ("recipe.json", "environment.json", "data.json", "predictions.json"):
        value = json.loads((run / name).read_text())
        arch = value.get("arch")
        value = poisoned(value, words) | ({"arch": arch} if arch else {})
        (run / name).write_text(json.dumps(value))
    lines = [json.dumps(poisoned(json.loads(line), words)) for line in (run / "log.jsonl").read_text().splitlines()]
    (run / "log.jsonl").write_text("\n".join(lines) + "\n")
    facts = json.loads((run / "run.linnet" / "bundle.json").read_text())
    facts["certificates"] = [dict(facts["certificates"][0]), poisoned(facts["certificates"][0], words)]
    seal(run / "run.linnet", {k: v for k, v in facts.items() if k not in ("files", "sha256")})
    text = report(run).read_text(encoding="utf-8")
    found = check_inert(text)
    assert "Left out" not in found.text
    assert '"><script>document.title="pwned"</script>' in found.text  # shown as what it is
    assert "\\u202egpj.exe" in found.text
    assert str(7 * 7191) not in text


def test_a_part_that_is_missing_is_one_sentence(make_run):
    gone = {
        "recipe.json": "the run has no recipe.json",
        "data.json": "the run has no data.json",
        "predictions.json": "the run has no predictions.json",
        "log.jsonl": "the run has no log.jsonl",
        "environment.json": "the run has no environment.json",
        "run.linnet": "the run has no bundle",
    }
    whole = make_run(n=60)
    for part, sentence in gone.items():
        run = whole.parent / f"without {part}"
        shutil.copytree(whole, run)
        shutil.rmtree(run / part) if (run / part).is_dir() else (run / part).unlink()
        found = check_inert(report(run).read_text(encoding="utf-8"))
        assert sentence in found.text
        assert len(found.all("h2")) == 10
        assert "Left out" not in found.text
    for part in gone:
        run = whole.parent / f"only {part}"
        run.mkdir()
        (shutil.copytree if (whole / part).is_dir() else shutil.copy)(whole / part, run / part)
        assert gone[part] not in check_inert(report(run).read_text(encoding="utf-8")).text


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"classes": 7, "arch": []}']
)
def test_a_damaged_part_is_said_and_the_rest_is_shown(make_run, content):
    run = make_run(n=40)
    for name in (
        "recipe.json",
        "data.json",
        "predictions.json",
        "environment.json",
        "log.jsonl",
        "run.linnet/bundle.json",
    ):
        (run / name).write_bytes(content)
    if content:
        (run / "data.json").write_bytes(b"{}")
    found = check_inert(report(run).read_text(encoding="utf-8"))
    assert "could not be read completely" in found.text
    assert len(found.all("h2")) == 10


def test_a_folder_that_holds_no_run_is_refused(tmp_path):
    with pytest.raises(SettingError, match=r"nothing of a run.*Give the folder"):
        report(tmp_path)
    with pytest.raises(SettingError, match="no such folder"):
        report(tmp_path / "absent")
    assert not list(tmp_path.iterdir())


def test_the_verb_is_light_to_import():
    heavy = (
        "import linnet.explanation.report, sys; print(sorted({'torch', 'jinja2', 'numpy', 'PIL'} & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "[]"


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("chromium"), reason="needs Debian's chromium")
def test_a_browser_runs_nothing_and_asks_for_nothing(make_run, tmp_path):
    run = make_run(names=list(NASTY[:7]), n=70)
    path = report(run)
    said = subprocess.run(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update", f"--user-data-dir={tmp_path / 'profile'}",
         "--enable-logging=stderr", "--dump-dom", path.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert "CONSOLE" not in said.stderr  # every violation of the policy would be a line here
    assert "<title>7 classes, " in said.stdout


def test_another_persons_file_is_not_overwritten(make_run, tmp_path):
    run = make_run()
    (tmp_path / "index.html").write_text("mine")
    with pytest.raises(SettingError, match="nothing is overwritten"):
        report(run, out=tmp_path / "index.html")
    assert (tmp_path / "index.html").read_text() == "mine"
    assert report(run) == report(run, out=run / "report.html")
