from __future__ import annotations

import dataclasses
import inspect
import json
import subprocess
import sys

import pytest

from linnet.errors import SettingError
from linnet.recipes.book import book
from linnet.training import start
from linnet.training.distributed import Place
from linnet.training.recipe import Phase, Recipe
from linnet.training.train import begun, train, train_here


def test_a_run_from_flags_and_files(tiny_recipe, tiny_photos, tmp_path):
    path, out = tmp_path / "mine.json", tmp_path / "run"
    dataclasses.replace(tiny_recipe, phases=(Phase(image=24, batch=8),)).save(path)
    result = train(tiny_photos.root, recipe=path, batch=12, seed=3, lr=0.01, out=out)
    assert result.folder == out
    said = Recipe.load(out / "recipe.json")
    assert (said.phases[0].batch, said.seed, said.optimizer.lr, said.photos) == (12, 3, 0.01, str(tiny_photos.root))
    data = json.loads((out / "data.json").read_text())
    assert data["counts"]["train"] == {"blue": 16, "green": 16, "red": 16}
    before = (out / "log.jsonl").read_bytes()
    again = train(tiny_photos.root, recipe=out / "recipe.json", out=out)  # a run is never overwritten
    assert again.folder == tmp_path / "run-2"
    assert (out / "log.jsonl").read_bytes() == before
    assert again.validation == result.validation  # and its recipe.json says all


def test_paths_may_be_text(tiny_recipe, tiny_photos, tmp_path):
    dataclasses.replace(tiny_recipe, phases=(Phase(image=24, batch=8),)).save(tmp_path / "mine.json")
    result = train(str(tiny_photos.root), recipe=str(tmp_path / "mine.json"), out=str(tmp_path / "run"))
    assert result.folder == tmp_path / "run"
    assert train(resume=str(tmp_path / "run")).validation == result.validation


def test_a_published_recipe_by_name_with_settings_of_ones_own(tiny_photos, tmp_path):
    own = [
        "phases.epochs=1",
        "phases.image=32",
        "phases.batch=24",
        "schedule.warmup=0.5",
        "optimizer.lr=0.01",
        "threads=1",
    ]
    result = train(tiny_photos.root, recipe="mobilenetv3_small_cvnets", set=[*own, "workers=0"], out=tmp_path / "run")
    said, published = Recipe.load(result.folder / "recipe.json"), book()["mobilenetv3_small_cvnets"].recipe
    assert (said.arch, said.schedule.start, said.ema) == (published.arch, published.schedule.start, published.ema)
    assert [(row.image, row.batch) for row in said.phases] == [(32, 24)]
    assert said.optimizer == dataclasses.replace(published.optimizer, lr=0.01)
    assert result.epochs == 1


def test_photos_are_asked_for(monkeypatch):
    monkeypatch.setattr(start, "has_weights", lambda name: False)
    with pytest.raises(SettingError, match="Which photos"):
        train()


def test_a_resumed_run_keeps_its_settings(tmp_path):
    with pytest.raises(SettingError, match="--epochs: a resumed run keeps"):
        train(resume=tmp_path, epochs=3)
    with pytest.raises(SettingError, match="--set: a resumed run keeps"):
        train(resume=tmp_path, set=["seed=3"])
    with pytest.raises(SettingError, match=r"no run to go on with"):
        train(resume=tmp_path)
    Recipe().save(tmp_path / "recipe.json")
    with pytest.raises(SettingError, match="does not say where the photos are"):
        train(resume=tmp_path)


@pytest.mark.parametrize("flags", [["--epochs", "0"], ["--arch", "mobilnet"], ["--lr", "nan"], ["--epochz", "3"],
                                   ["--recipe", "none.json"], ["--workers", "-1"],
                                   ["--recipe", "mnasnet_a2"], ["--set", "sede=3"], ["--set", "phases.droput=0.1"]])  # fmt: skip
def test_wrong_flags_on_the_command_line_leave_no_trace(flags, tmp_path):
    """Before torch is imported or a file is written."""
    code = (
        "import sys, atexit\n"
        "atexit.register(lambda: print('torch' in sys.modules))\n"
        "from linnet.cli import main\n"
        "main(['train', 'photos', *sys.argv[1:]])\n"
    )
    child = subprocess.run([sys.executable, "-c", code, *flags], capture_output=True, text=True, cwd=tmp_path,
                           env={"PYTHONPATH": str(inspect.getfile(start)).rsplit("linnet", 1)[0].removesuffix("/")})  # fmt: skip
    assert child.returncode in (1, 2), child.stderr
    assert "Traceback" not in child.stderr
    assert flags[0].removeprefix("--")[:5] in child.stderr or "mobilenet" in child.stderr
    assert child.stdout.strip().endswith("False")
    assert list(tmp_path.iterdir()) == []


def test_a_head_alone_is_asked_for_with_a_switch(tmp_path):
    with pytest.raises(SettingError, match="--head-only: a resumed run keeps"):
        train(resume=tmp_path, head_only=True)
    with pytest.raises(SettingError, match="--head-only needs a network that has learnt already"):
        train(tmp_path, arch="mobilenetv3_small_100", from_scratch=True, head_only=True)


class Told(Place):
    """One of the others, when the first has begun a run."""

    def once(self, make):
        return "run", None, "photos"


def test_the_other_processes_need_the_folder_alone(monkeypatch):
    calls = []
    monkeypatch.setattr("linnet.training.loop.run", lambda *args, **rest: calls.append((args, rest)))
    place = Told(rank=1, world=2)
    train_here(place, resume=None, photos=None, recipe="on the disk of the first alone.json", set=["sede=1"], out=None)
    assert calls == [((None, "photos", "run"), {"resume": True, "place": place})]


def test_too_many_processes_leave_no_folder(tiny_recipe, tiny_photos, tmp_path):
    tiny_recipe.save(tmp_path / "mine.json")
    flags = {"set": None, "from_scratch": False, "out": tmp_path / "run", "head_only": False}
    with pytest.raises(SettingError, match=r"30 processes.*Take 4"):
        begun(Place(world=30), photos=tiny_photos.root, recipe=tmp_path / "mine.json", **flags)
    assert not (tmp_path / "run").exists()


def test_weights_and_none_are_refused_with_a_recipe_too(tiny_photos):
    with pytest.raises(SettingError, match="exclude each other"):
        train(tiny_photos.root, recipe="fine_tune", pretrained="tf_efficientnet_lite0", from_scratch=True)
