from __future__ import annotations

import dataclasses
import math
import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from powercut import At, PowerCut, power_cut

from linnet.data.loader import Bad
from linnet.errors import DataError, FileError, TrainingError, WeightsError
from linnet.evaluation.evaluate import predict_logits
from linnet.files import held
from linnet.training import loop
from linnet.training.checkpoint import hash_checkpoint
from linnet.training.ingredients import AdamW, Cosine
from linnet.training.log import read_log
from linnet.training.loop import LOCK, run
from linnet.training.loss import Loss
from linnet.training.prepare import PACKED
from linnet.training.recipe import Phase
from linnet.training.stop import TrainingStopped
from linnet.training.train import train
from linnet.weights.model import read_model
from linnet.weights.tensors import read_tensors

STEPS = 18  # three epochs of six


# -- resume -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("at", [1, 2, 6, 7, 12, STEPS])
def test_cut_at_any_step_and_resumed_equals_uninterrupted(
    at, tiny_recipe, tiny_photos, tmp_path, quiet, finished, outcome
):
    recipe = dataclasses.replace(tiny_recipe, save_minutes=1e-9)  # a checkpoint after every step
    with pytest.raises(PowerCut):
        run(recipe, tiny_photos, tmp_path, progress=At(at, power_cut))
    run(None, tiny_photos, tmp_path, resume=True, progress=quiet)
    assert outcome(tmp_path) == outcome(finished)


def test_cut_again_and_again_far_from_a_checkpoint(tiny_recipe, tiny_photos, tmp_path, quiet, finished, outcome):
    """With checkpoints at the ends of epochs only, and another number of workers each time."""
    with pytest.raises(PowerCut):
        run(tiny_recipe, tiny_photos, tmp_path, progress=At(10, power_cut))
    for at in (3, 8):
        with pytest.raises(PowerCut):
            run(None, tiny_photos, tmp_path, resume=True, progress=At(at, power_cut))
    run(None, tiny_photos, tmp_path, resume=True, progress=quiet)
    assert outcome(tmp_path) == outcome(finished)


def test_cut_in_validation_and_in_the_writing_of_a_checkpoint(
    tiny_recipe, tiny_photos, tmp_path, quiet, finished, outcome, monkeypatch
):
    with monkeypatch.context() as patch:
        patch.setattr(loop, "validate", lambda r: power_cut())
        with pytest.raises(PowerCut):
            run(tiny_recipe, tiny_photos, tmp_path, progress=quiet)
    before = hash_checkpoint(tmp_path / "last.ckpt")
    with monkeypatch.context() as patch:
        patch.setattr("linnet.files.os.replace", lambda old, new: power_cut())
        with pytest.raises(PowerCut):
            run(None, tiny_photos, tmp_path, resume=True, progress=quiet)
    assert hash_checkpoint(tmp_path / "last.ckpt") == before
    run(None, tiny_photos, tmp_path, resume=True, progress=quiet)
    assert outcome(tmp_path) == outcome(finished)


@pytest.mark.parametrize("workers", [1, 2])
def test_the_number_of_workers_changes_nothing(workers, tiny_recipe, tiny_photos, tmp_path, quiet, finished, outcome):
    run(dataclasses.replace(tiny_recipe, workers=workers), tiny_photos, tmp_path, progress=quiet)
    assert outcome(tmp_path) == outcome(finished)


@pytest.mark.parametrize("setting", [{"loss": "focal"}, {"loss": "sigmoid"}, {"layer_decay": 0.5},
                                     {"class_weights": "balanced", "sampling": "balanced"}], ids=str)  # fmt: skip
def test_losses_rates_and_balance_resume_to_the_bit(
    setting, tiny_recipe, tiny_photos, tmp_path, quiet, finished, outcome
):
    few = tuple(photo for photo in tiny_photos.train if photo.label or photo.path.name < "024.png")
    photos = dataclasses.replace(tiny_photos, train=few) if "sampling" in setting else tiny_photos
    recipe = dataclasses.replace(tiny_recipe, **setting)
    run(recipe, photos, tmp_path / "whole", progress=quiet)
    with pytest.raises(PowerCut):
        run(dataclasses.replace(recipe, save_minutes=1e-9), photos, tmp_path / "cut", progress=At(8, power_cut))
    run(None, photos, tmp_path / "cut", resume=True, progress=quiet)
    assert outcome(tmp_path / "cut") == outcome(tmp_path / "whole")
    assert outcome(tmp_path / "cut")["model"] != outcome(finished)["model"]


def test_another_seed_is_another_run(tiny_recipe, tiny_photos, tmp_path, quiet, finished, outcome):
    run(dataclasses.replace(tiny_recipe, seed=1), tiny_photos, tmp_path, progress=quiet)
    assert outcome(tmp_path)["model"] != outcome(finished)["model"]


def test_kill_9_and_resume(tiny_recipe, tiny_photos, tmp_path, finished, outcome):
    """The real thing, through the verb: a process that is shot, and one that goes on."""
    recipe, folder = tmp_path / "recipe.json", tmp_path / "run"
    dataclasses.replace(tiny_recipe, save_minutes=1e-9, workers=1).save(recipe)
    code = f"""if __name__ == "__main__":
    from pathlib import Path
    from linnet.training.train import train
    train(Path({str(tiny_photos.root)!r}), recipe=Path({str(recipe)!r}), out=Path({str(folder)!r}))"""
    (tmp_path / "child.py").write_text(code)
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    child = subprocess.Popen(
        [sys.executable, tmp_path / "child.py"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    log, until = folder / "log.jsonl", time.monotonic() + 120
    while child.poll() is None and time.monotonic() < until:
        if log.exists() and log.read_bytes().count(b'"step"') > 8:
            break
        time.sleep(0.002)
    child.kill()
    assert child.wait() == -signal.SIGKILL, "it was over before it could be killed"
    train(resume=folder)
    assert outcome(folder) == outcome(finished)
    assert not list(folder.glob(".*tmp*"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_leaves_and_says_how_to_go_on(
    number, tiny_recipe, tiny_photos, tmp_path, quiet, finished, outcome
):
    with pytest.raises(TrainingStopped, match=f"--resume {tmp_path}") as stopped:
        run(tiny_recipe, tiny_photos, tmp_path, progress=At(8, lambda: signal.raise_signal(number)))
    assert stopped.value.exit_code == 75
    _, facts = read_tensors(tmp_path / "last.ckpt", kind="checkpoint", remedy="")
    assert (facts["epoch"], facts["step"], facts["total"]) == (1, 2, 8)
    run(None, tiny_photos, tmp_path, resume=True, progress=quiet)
    assert outcome(tmp_path) == outcome(finished)


def test_a_signal_in_validation(tiny_recipe, tiny_photos, tmp_path, quiet, finished, outcome, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(loop, "validate", lambda r: signal.raise_signal(signal.SIGTERM) or time.sleep(60))
        with pytest.raises(TrainingStopped):
            run(tiny_recipe, tiny_photos, tmp_path, progress=quiet)
    run(None, tiny_photos, tmp_path, resume=True, progress=quiet)
    assert outcome(tmp_path) == outcome(finished)


def test_a_finished_run_is_not_trained_again(tiny_photos, finished, quiet):
    before = (finished / "last.ckpt").stat().st_mtime_ns
    result = run(None, tiny_photos, finished, resume=True, progress=quiet)
    assert (finished / "last.ckpt").stat().st_mtime_ns == before
    assert result.best_epoch == result.to_json()["best_epoch"] >= 0
    assert f"{100 * result.validation['top1']:.1f} % of 12" in str(result)


def test_other_photos_are_refused(tiny_photos, finished, quiet):
    fewer = dataclasses.replace(tiny_photos, train=tiny_photos.train[1:])
    with pytest.raises(DataError, match="not the photos"):
        run(None, fewer, finished, resume=True, progress=quiet)


def test_a_damaged_checkpoint_is_refused(tiny_recipe, tiny_photos, tmp_path, quiet):
    with pytest.raises(PowerCut):
        run(tiny_recipe, tiny_photos, tmp_path, progress=At(8, power_cut))
    path = tmp_path / "last.ckpt"
    data = bytearray(path.read_bytes())
    data[-100] ^= 1
    path.write_bytes(data)
    with pytest.raises(WeightsError, match=r"last\.ckpt: damaged.*Train anew"):
        run(None, tiny_photos, tmp_path, resume=True, progress=quiet)


# -- what is not finite -----------------------------------------------------------------------------------------------
def test_a_batch_that_is_not_finite_leaves_no_trace(tiny_recipe, tiny_photos, tmp_path, quiet, monkeypatch):
    """Weights, average, BatchNorm and optimiser equal those of a run that never saw the batch."""
    poisoned = 7
    plain_loss, plain_batches = Loss.per_sample, loop.epoch_batches
    steps = iter(range(STEPS))
    with monkeypatch.context() as patch:
        patch.setattr(
            Loss,
            "per_sample",
            lambda *given: plain_loss(*given) * (math.nan if next(steps) == poisoned else 1),
        )
        run(tiny_recipe, tiny_photos, tmp_path / "poisoned", progress=quiet)

    def without(r):
        for batch in plain_batches(r):
            if r.position.total == poisoned:
                r.position.step, r.position.total = r.position.step + 1, r.position.total + 1
            else:
                yield batch

    with monkeypatch.context() as patch:
        patch.setattr(loop, "epoch_batches", without)
        run(tiny_recipe, tiny_photos, tmp_path / "without", progress=quiet)
    assert hash_checkpoint(tmp_path / "poisoned/last.ckpt") == hash_checkpoint(tmp_path / "without/last.ckpt")
    note = next(line for line in read_log(tmp_path / "poisoned") if "skipped" in line.get("text", ""))
    assert note["text"].startswith("epoch 1, step 1 skipped: loss nan")
    assert len(note["paths"]) == 8
    assert all(path.endswith(".png") for path in note["paths"])


def test_a_gradient_that_is_not_finite_counts_too(tiny_recipe, tiny_photos, tmp_path, quiet, monkeypatch):
    """The loss is finite, its gradient is not: sqrt at 0."""
    plain_loss = Loss.per_sample
    monkeypatch.setattr(Loss, "per_sample", lambda self, x, y: plain_loss(self, x, y) + (x * 0).abs().sum().sqrt())
    with pytest.raises(TrainingError, match=r"10 steps in a row.*Lower the learning rate"):
        run(tiny_recipe, tiny_photos, tmp_path, progress=quiet)


def test_ten_in_a_row_stop_the_run_and_the_last_checkpoint_is_good(
    tiny_recipe, tiny_photos, tmp_path, quiet, monkeypatch
):
    plain_loss, steps = Loss.per_sample, iter(range(STEPS))
    monkeypatch.setattr(Loss, "per_sample", lambda *given: plain_loss(*given) * (math.inf if next(steps) > 6 else 1))
    with pytest.raises(TrainingError, match=r"10 steps in a row.*\.png.*checkpoint is good"):
        run(tiny_recipe, tiny_photos, tmp_path, progress=quiet)
    tensors, facts = read_tensors(tmp_path / "last.ckpt", kind="checkpoint", remedy="")
    assert facts["total"] >= 6
    assert all(torch.isfinite(tensor).all() for tensor in tensors.values() if tensor.is_floating_point())


# -- what a run does --------------------------------------------------------------------------------------------------
def test_it_overfits_32_photos_in_seconds(tiny_recipe, tiny_photos, tmp_path, quiet):
    """With labels that have nothing to do with the pictures, so that it has to learn them by heart."""
    train_photos = tuple(dataclasses.replace(p, label=i * 7 % 3) for i, p in enumerate(tiny_photos.train[:32]))
    photos = dataclasses.replace(tiny_photos, train=train_photos * 20, validation=train_photos)
    recipe = dataclasses.replace(
        tiny_recipe,
        phases=(Phase(epochs=5, image=32, batch=32),),
        preprocess={"crop": 1.0},
        optimizer=AdamW(lr=1e-2, weight_decay=0.0),
        schedule=Cosine(),
        ema=0.8,
        label_smoothing=0.0,
        crop_area=(1.0, 1.0),
        flip=0.0,
    )
    began = time.monotonic()
    result = run(recipe, photos, tmp_path, progress=quiet)
    assert result.validation["top1"] == 1.0
    assert result.validation["loss"] < 0.05
    assert time.monotonic() - began < 60


def test_the_folder_says_it_all(finished, tiny_recipe, tiny_photos):
    names = {path.name for path in finished.iterdir()}
    written = {"recipe.json", "environment.json", "log.jsonl", "last.ckpt", "best.safetensors", "tensorboard"}
    assert names - {LOCK} == written
    epochs = [line for line in read_log(finished) if line["kind"] == "epoch"]
    assert [line["image"] for line in epochs] == [24, 32, 32]
    assert [line["phase"] for line in epochs] == [0, 1, 1]
    best = max(epochs, key=lambda line: (line["validation"]["top1"], -line["validation"]["loss"]))
    model = read_model(finished)
    assert model.facts["epoch"] == best["epoch"]
    assert model.facts["validation"] == best["validation"]
    assert model.classes == tiny_photos.classes
    assert model.preprocess.image == 32
    assert model.net().get_classifier().out_features == 3
    steps = [line for line in read_log(finished) if line["kind"] == "step"]
    assert [line["step"] for line in steps] == [*range(6)] * 3
    assert steps[1]["lr"] == pytest.approx(3e-3 / 3)  # one step of three into a warm-up from 0


def test_frozen_rows_stay_and_cost_nothing(tiny_recipe, tiny_photos, tmp_path, quiet, finished):
    phases = tuple(dataclasses.replace(phase, freeze=2) for phase in tiny_recipe.phases)
    recipe = dataclasses.replace(tiny_recipe, phases=phases, ema=0.0)
    run(recipe, tiny_photos, tmp_path, progress=quiet)
    torch.manual_seed(recipe.seed)
    from linnet.arch.spec import Arch
    from linnet.nn.build import build

    start = build(Arch.from_json(recipe.arch).with_classes(3)).state_dict()
    tensors, _ = read_tensors(tmp_path / "last.ckpt", kind="checkpoint", remedy="")
    for name, first in start.items():
        frozen = name.startswith(("stem.0", "stages.0"))
        assert torch.equal(tensors[f"model.{name}"], first) == frozen, name
        assert torch.equal(tensors[f"ema.{name}"], tensors[f"model.{name}"]), name  # decay 0
    assert not any(name.startswith(("optimizer.stem", "optimizer.stages.0")) for name in tensors)


def test_without_validation_photos_the_last_epoch_is_kept(tiny_recipe, tiny_photos, tmp_path, quiet):
    result = run(tiny_recipe, dataclasses.replace(tiny_photos, validation=()), tmp_path, progress=quiet)
    assert result.validation is None
    assert result.best_epoch == 2
    assert "no validation photos" in read_log(tmp_path)[0]["text"]


def test_a_photo_that_goes_bad_meanwhile_is_named_and_left_out(tiny_recipe, tiny_photos, tmp_path, quiet):
    missing = dataclasses.replace(tiny_photos.train[5], path=tmp_path / "gone.png")
    photos = dataclasses.replace(tiny_photos, train=(*tiny_photos.train[:5], missing, *tiny_photos.train[6:]))
    run(tiny_recipe, photos, tmp_path, progress=quiet)
    notes = [line["text"] for line in read_log(tmp_path) if line["kind"] == "note"]
    assert len(notes) == 3  # once in every epoch
    assert all("gone.png: left out" in note for note in notes)


def test_torch_is_left_as_it_was(tiny_recipe, tiny_photos, tmp_path, quiet):
    threads = torch.get_num_threads()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    before = signal.getsignal(signal.SIGINT)
    run(dataclasses.replace(tiny_recipe, phases=(Phase(batch=16, image=24),)), tiny_photos, tmp_path, progress=quiet)
    assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == threads
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_process_in_the_same_folder_is_refused_and_harms_nothing(tiny_recipe, tiny_photos, tmp_path, quiet):
    folder = tmp_path / "run"
    (folder / PACKED).mkdir(parents=True)
    with held(folder / LOCK, "busy"), pytest.raises(FileError, match=r"another process trains.*linnet watch"):
        run(tiny_recipe, tiny_photos, folder, progress=quiet)
    assert sorted(path.name for path in folder.iterdir()) == [LOCK, PACKED]


def test_a_photo_that_goes_bad_in_validation_is_named(tiny_recipe, tiny_photos, tmp_path, quiet, monkeypatch):
    monkeypatch.setattr(
        "linnet.training.validate.predict_logits",
        lambda *given, **settings: predict_logits(*given, **settings)._replace(bad=(Bad("a.jpg", "truncated"),)),
    )
    run(tiny_recipe, tiny_photos, tmp_path / "run", progress=quiet)
    notes = [line["text"] for line in read_log(tmp_path / "run") if line["kind"] == "note"]
    assert "a.jpg: left out of validation (truncated)." in notes
