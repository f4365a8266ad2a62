import json
import shutil
import subprocess
import sys

import pytest

from linnet.errors import SettingError
from linnet.explanation.folder import read_run


def test_every_part_is_read(make_run):
    run = read_run(make_run(n=40))
    assert not run.damaged
    assert run.classes[:2] == ("dress", "hat")
    assert (len(run.epochs), len(run.steps), len(run.notes)) == (8, 160, 4)
    assert run.bundle_path.name == "run.linnet"
    assert run.bundle["classes"] == list(run.classes)


def test_a_log_that_was_cut_and_gone_on_with(tmp_path):
    lines = [
        {"kind": "step", "epoch": 0, "step": s, "loss": loss} for s, loss in ((0, 3.0), (2, 2.0), (2, 1.5), (1, 2.5))
    ]
    text = "\n".join(map(json.dumps, lines)) + '\n\nno json\n[1]\n{"kind": "step", "epo'
    (tmp_path / "log.jsonl").write_text(text)
    run = read_run(tmp_path)
    assert [step["loss"] for step in run.steps] == [3.0, 2.5, 1.5]  # in order, the later of two counts
    assert run.damaged == {"log.jsonl": "2 of its lines could not be read"}  # a cut last line is nothing to speak of


def test_the_bundle_that_was_made_last_is_shown(make_run):
    run = make_run(n=40)
    for name in ("run-2.linnet", "run-10.linnet", ".run-11.linnet.x.tmp"):
        shutil.copytree(run / "run.linnet", run / name)
    assert read_run(run).bundle_path.name == "run-10.linnet"
    later = json.loads((run / "run.linnet" / "bundle.json").read_text())
    later["certificates"][0]["date"] = "2026-12-01T00:00:00Z"
    (run / "another.linnet").mkdir()
    (run / "another.linnet" / "bundle.json").write_text(json.dumps(later))
    assert read_run(run).bundle_path.name == "another.linnet"
    assert read_run(run / "run.linnet").bundle_path == run / "run.linnet"  # a bundle alone has a report too


def test_a_bundle_is_understood_in_a_process_of_its_own(make_run):
    run = make_run(n=40)
    code = f"from linnet.explanation.folder import read_run; print(dict(read_run({str(run)!r}).damaged))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "{}\n"


def test_a_bundle_that_was_changed_is_found_out(make_run):
    run = make_run(n=40)
    (run / "run.linnet" / "model.onnx").write_bytes(b"other")
    assert "model.onnx: damaged or changed" in read_run(run).damaged["run.linnet"]


def test_what_is_no_run_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    for place in (tmp_path, tmp_path / "notes.txt", tmp_path / "absent"):
        with pytest.raises(SettingError):
            read_run(place)
