from __future__ import annotations

import dataclasses

import pytest
import torch

from linnet.errors import SettingError, TrainingError
from linnet.training.checkpoint import hash_checkpoint
from linnet.training.gradients import halved, is_out_of_memory, step_seed
from linnet.training.ingredients import Sgd
from linnet.training.log import read_log
from linnet.training.loop import run
from linnet.training.loss import Loss
from linnet.weights.tensors import read_tensors


@pytest.fixture(scope="module")
def recipe(tiny_recipe):
    """One phase of six steps of eight photos; see test_distributed.py on why not AdamW."""
    return dataclasses.replace(tiny_recipe, phases=tiny_recipe.phases[:1], optimizer=Sgd(lr=0.05), bn_group=2)


def tensors(folder):
    return read_tensors(folder / "last.ckpt", kind="checkpoint", remedy="")[0]


@pytest.fixture(scope="module")
def whole(recipe, tiny_photos, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    run(recipe, tiny_photos, folder)
    return folder


@pytest.mark.parametrize("photos", [2, 4, 6])
def test_micro_batches_change_nothing_but_rounding(photos, recipe, tiny_photos, tmp_path, quiet, whole):
    """Weights, average, momentum and running statistics, with dropout, drop path and mixing on."""
    run(dataclasses.replace(recipe, micro_batch=photos), tiny_photos, tmp_path, progress=quiet)
    torch.testing.assert_close(tensors(tmp_path), tensors(whole), rtol=0, atol=1e-6)
    assert all(
        tensors(tmp_path)[name] == 6 for name in tensors(whole) if name.startswith("model") and "tracked" in name
    )


def test_frozen_batch_norms_need_no_groups(recipe, tiny_photos, tmp_path, quiet):
    for name, photos in (("whole", "auto"), ("micro", 3)):
        given = dataclasses.replace(recipe, bn_group=None, bn_frozen=True, micro_batch=photos)
        run(given, tiny_photos, tmp_path / name, progress=quiet)
    torch.testing.assert_close(tensors(tmp_path / "micro"), tensors(tmp_path / "whole"), rtol=0, atol=1e-6)


def without_memory_above(photos):
    """What a device does that holds the activations of so many photos; it notices late, in the backward pass."""
    plain = Loss.right

    def right(self, logits, targets):
        if len(logits) > photos:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB\nmore")
        return plain(self, logits, targets)

    return right


def test_out_of_memory_halves_and_the_result_is_the_same(
    recipe, tiny_photos, tmp_path, quiet, whole, monkeypatch, capsys
):
    monkeypatch.setattr(Loss, "right", without_memory_above(3))
    run(recipe, tiny_photos, tmp_path, progress=quiet)
    torch.testing.assert_close(tensors(tmp_path), tensors(whole), rtol=0, atol=1e-6)
    notes = [line["text"] for line in read_log(tmp_path) if "memory" in line.get("text", "")]
    assert notes == [
        f"Out of memory: {n} photos at a time from here. The result is the same but for rounding." for n in (4, 2)
    ]
    assert "4 photos at a time" in capsys.readouterr().err


def test_without_groups_the_log_says_that_the_result_differs(recipe, tiny_photos, tmp_path, quiet, whole, monkeypatch):
    monkeypatch.setattr(Loss, "right", without_memory_above(4))
    run(dataclasses.replace(recipe, bn_group=None), tiny_photos, tmp_path, progress=quiet)
    (note,) = [line["text"] for line in read_log(tmp_path) if "memory" in line.get("text", "")]
    assert "so the result differs; with bn_group" in note


def test_memory_for_nothing_is_a_clear_error(recipe, tiny_photos, tmp_path, quiet, monkeypatch):
    monkeypatch.setattr(Loss, "right", without_memory_above(1))
    with pytest.raises(TrainingError, match=r"Out of memory with 2 photos.*Tried to allocate 2\.00 GiB\).*recompute"):
        run(recipe, tiny_photos, tmp_path, progress=quiet)


def test_recomputing_changes_no_bit(recipe, tiny_photos, tmp_path, quiet, whole):
    run(dataclasses.replace(recipe, recompute=True), tiny_photos, tmp_path, progress=quiet)
    assert hash_checkpoint(tmp_path / "last.ckpt") == hash_checkpoint(whole / "last.ckpt")


def test_a_half_holds_whole_groups():
    assert halved(32, None, "") == 16
    assert halved(7, None, "") == 3
    assert halved(48, 16, "") == 16
    with pytest.raises(TrainingError):
        halved(16, 16, "")


def test_micro_batches_cut_no_group(recipe):
    with pytest.raises(SettingError, match="micro_batch is 3; allowed are multiples of bn_group, 2"):
        dataclasses.replace(recipe, micro_batch=3)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes", True),
        ("CUDA error: out of memory", True),
        ("shape mismatch", False),
    ],
)
def test_what_out_of_memory_looks_like(text, is_one):
    assert is_out_of_memory(RuntimeError(text)) is is_one


def test_step_seeds_differ():
    assert len({step_seed(seed, step) for seed in range(20) for step in range(50)}) == 1000
