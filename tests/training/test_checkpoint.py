from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys

import pytest
import torch

from linnet.errors import WeightsError
from linnet.nn.build import build
from linnet.training.checkpoint import Checkpoint, Position, hash_checkpoint, remove_stale
from linnet.training.ema import Ema
from linnet.training.optim import build_optimizer
from linnet.weights.tensors import DiskFull, hash_tensors, write_tensors


@pytest.fixture
def make(tiny_arch, tiny_recipe, tmp_path):
    """A function that gives a new network with its average and optimiser, one step old, and their Checkpoint."""

    def new(seed, arch=tiny_arch):
        torch.manual_seed(seed)
        net = build(arch.with_classes(3))
        ema, optimizer = Ema(net, 0.9), build_optimizer(net, tiny_recipe)
        net(torch.randn(4, 3, 32, 32)).square().sum().backward()
        optimizer.step()
        ema.update()
        return Checkpoint(tmp_path, net, ema, optimizer, minutes=10)

    return new


def test_everything_comes_back(make):
    one, two = make(0), make(1)
    assert hash_tensors(one.tensors()) != hash_tensors(two.tensors())
    one.save(Position(epoch=3, step=4, total=40, updates=39, loss_sum=0.1 + 0.2, best_top1=1 / 3, data="x"))
    position = two.load()
    assert hash_tensors(one.tensors()) == hash_tensors(two.tensors())
    assert position == Position(epoch=3, step=4, total=40, updates=39, loss_sum=0.1 + 0.2, best_top1=1 / 3, data="x")
    assert two.ema.updates == 39


def test_an_older_file_says_nothing_of_micro_batches(make):
    one = make(0)
    facts = dataclasses.asdict(Position(total=7))
    del facts["micro_batch"]
    write_tensors(one.path, one.tensors(), facts, kind="checkpoint")
    assert one.load() == Position(total=7)


def test_what_is_loaded_is_not_the_file(make):
    """Training goes on in memory of its own: nothing that happens later reaches a file or a dictionary read before."""
    one, two = make(0), make(1)
    one.save(Position())
    two.load()
    before = hash_checkpoint(one.path)
    for p in two.net.parameters():
        p.data.add_(1)
    assert hash_checkpoint(one.path) == before


def test_a_position_counts():
    at = Position()
    at.count(2.0, 3, 4, finite=True)
    at.count(float("nan"), 0, 4, finite=False)
    assert (at.step, at.total, at.updates, at.seen, at.loss_sum, at.hits) == (2, 2, 1, 4, 8.0, 3)
    assert (at.skipped, at.skipped_in_a_row) == (1, 1)
    at.count(1.0, 1, 4, finite=True)
    assert (at.skipped, at.skipped_in_a_row) == (1, 0)
    at.next_epoch()
    assert (at.epoch, at.step, at.total, at.seen, at.loss_sum, at.hits, at.skipped) == (1, 0, 3, 0, 0.0, 0.0, 0)


def test_damage_is_refused_and_changes_nothing(make):
    one = make(0)
    one.save(Position())
    data = one.path.read_bytes()
    before = hash_tensors(one.tensors())
    for place in (9, 500, len(data) // 2, len(data) - 1):
        damaged = bytearray(data)
        damaged[place] ^= 4
        for bad in (bytes(damaged), data[:place]):
            one.path.write_bytes(bad)
            with pytest.raises(WeightsError, match=r"last\.ckpt: damaged.*Train anew"):
                one.load()
    one.path.unlink()
    with pytest.raises(WeightsError, match="no such file"):
        one.load()
    assert hash_tensors(one.tensors()) == before


def test_a_checkpoint_of_another_network_or_version_is_refused(make, tiny_arch):
    make(0, tiny_arch.scaled(width=2)).save(Position())
    with pytest.raises(WeightsError, match="do not fit"):
        make(0).load()
    one = make(0)
    write_tensors(one.path, one.tensors(), {"epoch": 1}, kind="checkpoint")
    with pytest.raises(WeightsError, match="says nothing of"):
        one.load()


def test_it_is_due_after_some_minutes(make):
    one = make(0)
    assert not one.is_due
    one._saved -= 601
    assert one.is_due
    one.save(Position())
    assert not one.is_due


def test_room_is_asked_for_first(make, monkeypatch):
    one = make(0)
    one.require_room()
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(100, 0, 1000))
    with pytest.raises(DiskFull, match=r"1,000 bytes free, [\d,]+ bytes needed"):
        one.require_room()


def test_stale_files_go_and_others_stay(tmp_path):
    stale = [".last.ckpt.abc.tmp", ".tmpA1b2C3", ".log.jsonl.x.tmp"]
    kept = ["last.ckpt", ".hidden", "a.tmp", "log.jsonl"]
    for name in stale + kept:
        (tmp_path / name).touch()
    remove_stale(tmp_path)
    assert sorted(os.listdir(tmp_path)) == sorted(kept)


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_FSIZE is how Linux plays a full disk")
def test_a_full_disk_leaves_the_old_checkpoint(make, tmp_path):
    one = make(0)
    one.save(Position(epoch=1))
    before = one.path.read_bytes()
    code = f"""
import resource, sys, torch
from pathlib import Path
from linnet.training.checkpoint import Checkpoint, Position
from linnet.weights.tensors import DiskFull
class Full(Checkpoint):
    def tensors(self): return {{"model.a": torch.zeros(100_000)}}
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
try: Full(Path({str(tmp_path)!r}), None, None, None, 10).save(Position(epoch=2))
except DiskFull as error: print(error); sys.exit(error.exit_code)
"""
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert child.returncode == 74, child.stderr
    assert f"{one.path}: could not be written" in child.stdout
    assert "bytes needed" in child.stdout
    assert "bytes free" in child.stdout
    assert f"linnet train --resume {tmp_path}" in child.stdout
    assert one.path.read_bytes() == before
    assert os.listdir(tmp_path) == ["last.ckpt"]
    assert one.load().epoch == 1
