from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from linnet.errors import SettingError, TrainingError
from linnet.training.ingredients import Sgd
from linnet.training.launch import PARENT, end_of, launch, wait, words
from linnet.training.log import read_log
from linnet.training.loop import run
from linnet.training.stop import TrainingStopped
from linnet.training.train import train
from linnet.weights.tensors import read_tensors


def test_flags_go_as_they_came():
    assert words({"out": Path("a b"), "photos": None, "head_only": False, "lr": 0.1, "set": ("a=1",)}) == [
        "--out", "a b", "--lr", "0.1", "--set", "a=1",
    ]  # fmt: skip


def test_no_processes_are_refused():
    with pytest.raises(SettingError, match="--processes is 0; allowed are 1 to 1024"):
        launch(0, {})


def test_of_several_ends_the_one_that_was_killed_is_named():
    codes = ("exit 0", "sleep 0.3; exit 1", "kill -9 $$")
    children = [subprocess.Popen(["sh", "-c", code], text=True) for code in codes]
    assert wait(children) == (2, -9)
    assert wait(children[:1]) is None
    assert wait(children[:2]) == (1, 1)


def test_who_stops_is_waited_for_while_it_saves(monkeypatch):
    monkeypatch.setattr("linnet.training.launch.PATIENCE", 0.1)
    children = [subprocess.Popen(["sh", "-c", code], text=True) for code in ("sleep 1; exit 75", "exit 75")]
    assert wait(children) == (0, 75)
    assert [child.poll() for child in children] == [75, 75]
    failing = [subprocess.Popen(["sh", "-c", code], text=True) for code in ("sleep 30", "exit 1")]
    assert wait(failing) == (1, 1)
    failing[0].kill()
    failing[0].wait()


def test_only_a_run_with_a_checkpoint_can_be_gone_on_with(tmp_path):
    for folder in ("", str(tmp_path)):
        text = str(end_of(folder, 2, 0, 1))
        assert text.startswith("No run was begun: process 0 of 2 ended with exit code 1.")
        assert "--resume" not in text
    (tmp_path / "last.ckpt").touch()
    assert f"--resume {tmp_path} --processes 2" in str(end_of(str(tmp_path), 2, 0, 1))
    assert isinstance(end_of(str(tmp_path), 2, 0, 75), TrainingStopped)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"arch": "mobilenetv3_smal_100"}, "No network is called"), ({"set": ["phases.99.image=32"]}, "has rows 0 to")],
    ids=["before the photos", "after them"],
)
def test_a_wrong_setting_begins_no_run_and_is_said_once_not_by_each(wrong, said, tiny_photos, tmp_path, capfd):
    with pytest.raises(TrainingError, match="No run was begun"):
        train(tiny_photos.root, **wrong, out=tmp_path / "run", processes=2)
    assert capfd.readouterr().err.count(said) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def recipe(tiny_recipe):
    return dataclasses.replace(tiny_recipe, optimizer=Sgd(lr=0.05), bn_group=4, save_minutes=1e-9)


def until(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.01)


def steps(folder):
    log = folder / "log.jsonl"
    return log.read_bytes().count(b'"step"') if log.exists() else 0


def of_rank(rank, environment):
    """The process of this rank, among those that have `environment` in theirs (Linux)."""
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit():
                found = (folder / "environ").read_bytes().split(b"\0")
                if {f"RANK={rank}".encode(), environment.encode()} <= set(found):
                    return int(folder.name)
        except OSError:
            continue
    return None


def follows(folder, other):
    mine, theirs = (read_tensors(f / "last.ckpt", kind="checkpoint", remedy="")[0] for f in (folder, other))
    return all((mine[name] - theirs[name]).abs().max() <= 1e-5 for name in theirs) and mine.keys() == theirs.keys()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds the processes in /proc")
def test_one_killed_process_ends_the_others_and_the_run_goes_on(recipe, tiny_photos, tmp_path, quiet, monkeypatch):
    """Through the command line, as a user would; the killed one is not the one that writes."""
    run(recipe, tiny_photos, tmp_path / "one", progress=quiet)
    recipe.save(tmp_path / "recipe.json")
    folder = tmp_path / "two"
    command = [sys.executable, "-m", "linnet", "train", tiny_photos.root, "--recipe", tmp_path / "recipe.json"]
    parent = subprocess.Popen([*command, "--out", folder, "--processes", "2"], stderr=subprocess.PIPE, text=True)
    until(lambda: steps(folder) > 4)
    os.kill(of_rank(1, f"{PARENT}={parent.pid}"), signal.SIGKILL)
    _, said = parent.communicate(timeout=60)
    assert parent.returncode == 1
    assert "Process 1 of 2 was killed (SIGKILL)" in said
    assert f"Go on with: linnet train --resume {folder} --processes 2" in said
    assert of_rank(0, f"{PARENT}={parent.pid}") is None
    monkeypatch.chdir(tmp_path)  # who launches need not stand in the checkout
    result = train(resume=folder, processes=2)
    assert result.validation["n"] == 12
    assert follows(folder, tmp_path / "one")
    assert [line["epoch"] for line in read_log(folder) if line["kind"] == "epoch"] == [0, 1, 2]


@pytest.mark.slow
def test_torchrun_starts_a_lost_process_again_from_the_checkpoint(recipe, tiny_photos, tmp_path, quiet):
    run(recipe, tiny_photos, tmp_path / "one", progress=quiet)
    recipe.save(tmp_path / "recipe.json")
    folder = tmp_path / "two"
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "--max-restarts=2"]
    command = ["-m", "linnet", "train", tiny_photos.root, "--recipe", tmp_path / "recipe.json", "--out", folder]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MARK": str(tmp_path)}
    parent = subprocess.Popen([*torchrun, *command], env=environment, stderr=subprocess.PIPE, text=True)
    until(lambda: steps(folder) > 4)
    os.kill(of_rank(1, f"MARK={tmp_path}"), signal.SIGKILL)
    _, said = parent.communicate(timeout=120)
    assert parent.returncode == 0, said
    assert follows(folder, tmp_path / "one")
    assert not (tmp_path / "two-2").exists()  # it found its own run again
