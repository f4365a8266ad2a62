"""Runs of earlier versions still load and go on. Each folder in tests/fixtures was written by the version of its time:
`run_schema1` by the first, stopped after 5 of 9 steps."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from linnet.data.source import find_photos
from linnet.errors import LinnetError, WeightsError
from linnet.training.log import read_log
from linnet.training.loop import run
from linnet.weights.model import read_model
from linnet.weights.tensors import read_tensors, write_tensors

# Of the steps of a whole run, as linnet of commit a718b64 made them: 5 lie in the fixture, it went on for 4.
LOSSES = [0.66855, 0.69813, 0.68999, 0.62553, 0.60537, 0.65291, 0.51976, 0.55192, 0.46012]
OLD = sorted((Path(__file__).parents[1] / "fixtures").glob("run_schema*"))


@pytest.fixture(params=OLD, ids=lambda path: path.name)
def old(request, tmp_path):
    assert sum(path.stat().st_size for path in request.param.rglob("*") if path.is_file()) < 100_000
    shutil.copytree(request.param / "run", tmp_path / "old")
    return tmp_path / "old", find_photos(request.param / "photos")


def losses(folder):
    return [line["loss"] for line in read_log(folder) if line["kind"] == "step"]


def test_it_goes_on_as_it_would_have(old, quiet):
    """Another machine may round differently, so not to the last bit; a draw that changed would show at once.

    First weights may be drawn otherwise by a newer version: a run that goes on has its own.
    """
    folder, photos = old
    assert read_model(folder).classes == photos.classes
    run(None, photos, folder, resume=True, progress=quiet)
    assert [line["epoch"] for line in read_log(folder) if line["kind"] == "epoch"] == [0, 1, 2]
    assert losses(folder) == pytest.approx(LOSSES, rel=1e-3)
    assert read_model(folder).facts["validation"]["n"] == 6


def test_a_newer_schema_is_refused_by_name(old, quiet, monkeypatch):
    folder, photos = old
    tensors, facts = read_tensors(folder / "last.ckpt", kind="checkpoint", remedy="")
    monkeypatch.setattr("linnet.weights.tensors.SCHEMA", 99)
    write_tensors(folder / "last.ckpt", tensors, {k: v for k, v in facts.items() if k != "schema"}, kind="checkpoint")
    monkeypatch.undo()
    with pytest.raises(WeightsError, match=r"written by a newer Linnet \(schema 99"):
        run(None, photos, folder, resume=True, progress=quiet)


def test_a_setting_of_a_newer_version_is_refused_by_name(old, quiet):
    folder, photos = old
    recipe = json.loads((folder / "recipe.json").read_text(encoding="utf-8"))
    (folder / "recipe.json").write_text(json.dumps({**recipe, "telepathy": 1.0}), encoding="utf-8")
    with pytest.raises(LinnetError, match=r"recipe\.json: .*no setting 'telepathy'"):
        run(None, photos, folder, resume=True, progress=quiet)
