from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from linnet.data.preprocess import Preprocess
from linnet.data.source import find_photos
from linnet.errors import DataError, LinnetError, SettingError, WeightsError
from linnet.explanation.doctor import doctor


def test_the_verb_writes_json_where_it_is_told_and_nowhere_else(make_photos, tmp_path):
    root = make_photos({"cat": 5, "dog": 5})
    before = sorted(tmp_path.rglob("*"))
    doctor(root, out=tmp_path / "found.json")
    assert sorted(tmp_path.rglob("*")) == sorted([*before, tmp_path / "found.json"])
    assert json.loads((tmp_path / "found.json").read_text())["classes"] == ["cat", "dog"]


def test_a_json_that_is_there_is_left_alone(make_photos, tmp_path):
    (tmp_path / "mine.json").write_text("mine")
    with pytest.raises(LinnetError, match="nothing is overwritten"):
        doctor(make_photos({"cat": 5, "dog": 5}), out=tmp_path / "mine.json")
    assert (tmp_path / "mine.json").read_text() == "mine"


def test_photos_that_a_model_cannot_be_asked_about_are_refused_before_anything_is_decoded(
    make_photos, tmp_path, monkeypatch
):
    model = SimpleNamespace(classes=("ant", "bee"), facts={}, preprocess=Preprocess())
    monkeypatch.setattr("linnet.weights.model.read_model", lambda _: model)
    monkeypatch.setattr("linnet.data.inspector.inspect", lambda *_, **__: pytest.fail("decoded"))
    root = make_photos({"cat": 5, "dog": 5})
    with pytest.raises(DataError, match="the model does not know 'cat', 'dog'"):
        doctor(root, model=tmp_path / "x.safetensors")
    (root / "photos.csv").write_text("path,labels\ncat/0.jpg,ant;bee\ndog/0.jpg,ant\ndog/1.jpg,bee\n")
    with pytest.raises(DataError, match="these have several"):
        doctor(root / "photos.csv", model=tmp_path / "x.safetensors")


def test_a_folder_gets_page_json_and_the_list_without_leaks_and_is_never_written_over(make_photos, nasty, tmp_path):
    root = make_photos({"train/cat": 6, "train/dog": 6, "test/cat": 2, "test/dog": 2})
    nasty.picture(1, 90, 60).save(root / "train/cat/large.png")
    nasty.picture(1, 60, 40).save(root / "test/cat/small.png")
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    doctor(root, out=tmp_path / "check")
    doctor(root, out=tmp_path / "check")
    assert {path.name for path in (tmp_path / "check").iterdir()} == {"doctor.html", "doctor.json", "photos.csv"}
    assert (tmp_path / "check-2" / "doctor.html").read_text() == (tmp_path / "check" / "doctor.html").read_text()
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before
    apart = find_photos(tmp_path / "check" / "photos.csv")
    assert {p.path.name for p in apart.test} >= {"small.png"}
    assert "large.png" not in {p.path.name for p in apart.train}
    assert doctor(tmp_path / "check" / "photos.csv").alike.pairs == ()


def test_a_packed_folder_has_a_page_too_and_no_list_of_files(make_photos, nasty, tmp_path):
    from linnet.data.pack import pack

    root = make_photos({"train/cat": 6, "train/dog": 6, "test/cat": 2, "test/dog": 2})
    nasty.picture(1, 90, 60).save(root / "train/cat/large.png")
    nasty.picture(1, 60, 40).save(root / "test/cat/small.png")
    pack(root, out=tmp_path / "packed")
    diagnosis = doctor(tmp_path / "packed", out=tmp_path / "check")
    assert len(diagnosis.alike.pairs) == 1
    assert {path.name for path in (tmp_path / "check").iterdir()} == {"doctor.html", "doctor.json"}
    assert "no picture" not in (tmp_path / "check" / "doctor.html").read_text()


def test_without_look_alikes_there_is_no_list(make_photos, tmp_path):
    doctor(make_photos({"cat": 9, "dog": 9}), out=tmp_path / "check")
    assert {path.name for path in (tmp_path / "check").iterdir()} == {"doctor.html", "doctor.json"}


def test_the_side_of_the_network_decides_what_is_small(make_photos):
    root = make_photos({"cat": 5, "dog": 5})
    assert doctor(root).to_json()["size"]["enlarged"] == 10
    assert doctor(root, image=14).to_json()["size"] | {"seen_share": 0} == {
        "image": 14, "resize": 16, "enlarged": 0, "seen_share": 0, "very_long": {"n": 0, "paths": []},
    }  # fmt: skip


def test_bad_files_beyond_the_allowed_share_stop_it_after_the_page_is_written(make_photos, tmp_path):
    root = make_photos({"cat": 5, "dog": 5})
    (root / "cat" / "bad.jpg").write_bytes(b"")
    with pytest.raises(DataError, match=r"9.1% of the files are bad"):
        doctor(root, max_bad=0.05, out=tmp_path / "check")
    assert (tmp_path / "check" / "doctor.html").exists()


def test_a_model_that_is_not_there_is_said_before_anything_is_decoded(make_photos, tmp_path):
    with pytest.raises(WeightsError):
        doctor(make_photos({"cat": 5, "dog": 5}), model=tmp_path / "none")


def test_on_the_command_line_it_prints_the_findings(make_photos):
    root = make_photos({"cat": 5, "dog": 5})
    done = subprocess.run(
        [sys.executable, "-m", "linnet", "doctor", str(root)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    assert "Nothing stands against training with these photos." in done.stdout
    assert "Diagnosis(" not in done.stdout


def test_it_looks_at_photos_or_at_the_machine(make_photos):
    for given in ({}, {"photos": make_photos({"cat": 5, "dog": 5}), "runtimes": True}):
        with pytest.raises(SettingError, match="give a folder of photos, or --runtimes"):
            doctor(**given)
