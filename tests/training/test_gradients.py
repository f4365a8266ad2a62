from __future__ import annotations

import dataclasses

import pytest
import torch

from linnet.errors import SettingError, TrainingError
from linnet.training.checkpoint import hash_checkpoint
from linnet.training.gradients import halved, seed_generators, step_seed, total_norm
from linnet.training.ingredients import Sgd
from linnet.training.log import read_log
from linnet.training.loop import run
from linnet.training.loss import Loss
from linnet.training.progress import Progress
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


def test_a_run_that_was_halved_resumes_to_the_bit(recipe, tiny_photos, tmp_path, monkeypatch, outcome):
    """Out of memory in the first step; cut in the fourth. What goes on has memory again, and must not use it."""

    class Cut(Exception):
        pass

    class At(Progress):
        steps = 0

        def step(self, *args):
            self.steps += 1
            if self.steps == 4:
                raise Cut

    given = dataclasses.replace(recipe, bn_group=None, save_minutes=1e-9)
    with monkeypatch.context() as patch:
        patch.setattr(Loss, "right", without_memory_above(4))
        run(given, tiny_photos, tmp_path / "whole", progress=Progress(quiet=True))
    with monkeypatch.context() as patch:
        patch.setattr(Loss, "right", without_memory_above(4))
        with pytest.raises(Cut):
            run(given, tiny_photos, tmp_path / "cut", progress=At(quiet=True))
    run(None, tiny_photos, tmp_path / "cut", resume=True, progress=Progress(quiet=True))
    assert outcome(tmp_path / "cut") == outcome(tmp_path / "whole")


def test_no_memory_for_the_optimiser_is_a_clear_error(recipe, tiny_photos, tmp_path, quiet, monkeypatch):
    def step(self):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr("linnet.training.optim.ThawingSgd.step", step)
    with pytest.raises(TrainingError, match=r"^Out of memory \(.*2\.00 GiB\)\. Smaller images"):
        run(recipe, tiny_photos, tmp_path, progress=quiet)


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


def test_step_seeds_differ():
    assert len({step_seed(seed, step) for seed in range(20) for step in range(50)}) == 1000


def test_the_norm_is_torchs_to_the_bit_and_passes_over_what_has_no_gradient():
    params = [torch.nn.Parameter(torch.randn(shape)) for shape in ((3,), (40, 50), (), (7, 1, 3, 3))]
    for p in params[1:]:
        p.grad = torch.randn_like(p)
    assert torch.equal(total_norm(params), torch.nn.utils.get_total_norm([p.grad for p in params[1:]]))


def test_a_step_draws_what_torch_draws_from_that_seed():
    torch.manual_seed(step_seed(3, 5))
    wanted = torch.rand(4)
    seed_generators(step_seed(3, 5), torch.device("cpu"))
    assert torch.equal(torch.rand(4), wanted)
