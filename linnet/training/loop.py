"""The loop: a run is a function of (recipe, photos, seed), stopped anywhere and gone on with as if nothing had been."""

from __future__ import annotations

import contextlib
import math
import time
from pathlib import Path
from shlex import quote
from typing import Any, NoReturn, cast

import torch

from ..data.mix import mix, smooth_targets, step_numbers
from ..data.pack import remove_pack
from ..data.source import Photos
from ..files import held
from ..nn.net import Net, set_regularisation
from ..weights.model import Model, write_model
from .batches import epoch_batches
from .dead import dead_channels
from .distributed import ALONE, Place, meet
from .exact import same_bits
from .freeze import freeze_rows, train_mode
from .gradients import backward, total_norm
from .log import read_log
from .memory import shortage_said
from .optim import add_l1, clip, set_lr
from .prepare import PACKED, Run, normaliser, packed, prepare
from .progress import Progress
from .recipe import Recipe
from .record import Record
from .result import Result
from .schedule import lr_factor
from .score import described, score
from .stop import Interrupted, StopRequest, TrainingStopped
from .validate import is_best, validate

LOCK = ".lock"  # in a run's folder: held by the process that trains in it


def run(
    recipe: Recipe | None,
    photos: Photos,
    folder: str | Path,
    *,
    resume: bool = False,
    progress: Progress | None = None,
    place: Place = ALONE,
) -> Result:
    """Train by `recipe` in `folder`, or go on with what lies there (`resume`; the recipe is then the folder's own).

    Several processes call it alike, each with its `place`; the folder is on a disk that all of them see.
    Raises: TrainingStopped after Ctrl-C or SIGTERM, when all is saved; TrainingError when the loss stays not finite;
    SettingError, DataError, WeightsError before the first step.
    """
    began, threads, progress = time.monotonic(), torch.get_num_threads(), progress or Progress(quiet=not place.first)
    with (
        torch.random.fork_rng(devices=[]),
        StopRequest() as stop,
        shortage_said(),
        contextlib.ExitStack() as own,
    ):
        try:
            with place.in_turn():  # the others find what the first has put into the folder
                if place.first:
                    own.enter_context(held(Path(folder) / LOCK, in_use(Path(folder))))
                    own.callback(remove_pack, Path(folder) / PACKED)
                resume |= not place.first
                r = prepare(recipe, photos, Path(folder), resume=resume, progress=progress, place=place)
            with contextlib.closing(r.log), same_bits(r.recipe.deterministic, r.log.note):
                r.photos = place.once(lambda: packed(r))
                while r.position.epoch < r.recipe.epochs:
                    train_epoch(r, stop)
                    finish_epoch(r, stop)
        finally:
            progress.close()
            torch.set_num_threads(threads)
    return place.once(lambda: result_of(r, time.monotonic() - began))


def in_use(folder: Path) -> str:
    return (
        f"{folder}: another process trains in this folder. Wait for it, stop it (Ctrl-C saves), or follow it with:"
        f" linnet watch {quote(str(folder))}"
    )


def result_of(r: Run, seconds: float) -> Result:
    at = r.position
    lines = [line for line in read_log(r.folder) if line["kind"] == "epoch" and line["epoch"] == at.best_epoch]
    split = "test" if r.photos.test else "validation"
    return Result(r.folder, r.recipe.epochs, at.best_epoch, lines[-1]["validation"], seconds, r.recipe.photos, split)


def train_epoch(r: Run, stop: StopRequest) -> None:
    """The epoch's steps from where the run stands: one flat list of what happens, the same for every recipe."""
    at, recipe, phase = r.position, r.recipe, r.recipe.phase_of(r.position.epoch)[1]
    record, steps = Record(r), r.steps(at.epoch)
    normalise = normaliser(r.preprocess, r.device, recipe.memory_format)
    freeze_rows(r.net, phase.freeze)
    params = [p for p in r.net.parameters() if p.requires_grad]
    set_regularisation(r.net, dropout=phase.dropout, drop_path=phase.drop_path)
    train_mode(r.net, frozen=phase.freeze, bn_frozen=recipe.bn_frozen)
    for batch in epoch_batches(r):
        batch, front, part = share = meet(r.place, batch, mixing=phase.mixup > 0 or phase.cutmix > 0)
        targets = smooth_targets(batch.labels.to(r.device), len(r.photos.classes), recipe.label_smoothing)
        targets, rng = r.teacher.known(targets, batch.index), step_numbers(recipe.seed, at.total)
        images, targets = mix(normalise(batch.images), targets, mixup=phase.mixup, cutmix=phase.cutmix, rng=rng)
        record.first(images)
        r.net.fit_windows(images.shape[-1])
        r.guard.remember()
        found = backward(r, images[front:], targets[front:], part)
        loss, hits, norm = torch.stack([*found, total_norm(params)]).tolist()  # the one wait for the device in a step
        lr = recipe.optimizer.lr * phase.lr_factor
        lr *= lr_factor(recipe.schedule, at.epoch + at.step / steps, recipe.epochs)
        finite = math.isfinite(loss) and math.isfinite(norm)
        if finite:
            clip(params, norm, recipe.clip)
            add_l1(r.optimizer)
            set_lr(r.optimizer, lr)
            r.optimizer.step()
            r.ema.update()
        else:
            r.guard.restore()
        r.optimizer.zero_grad(set_to_none=True)
        at.count(loss, hits, share.n, finite=finite)
        record.step(share, loss=loss, norm=norm, lr=lr, finite=finite)
        stopping, due = r.place.any(stop.asked, r.place.first and r.checkpoint.is_due)
        if stopping:
            leave(r)
        if due:
            save(r)


def finish_epoch(r: Run, stop: StopRequest) -> None:
    """Validate, keep the best, log the epoch, save. A run that is stopped meanwhile does all of it again."""
    at, began = r.position, time.monotonic()
    row, phase = r.recipe.phase_of(at.epoch)
    last = at.epoch + 1 == r.recipe.epochs
    try:
        with stop.interrupting() if r.place.world == 1 else contextlib.nullcontext():  # several leave together only
            found = validate(r)
            raw = validate(r, r.net) if last and r.recipe.ema else None  # what the average was worth, once
    except Interrupted:
        leave(r)
    if is_best(at, found):
        at.best_epoch = at.epoch
        if found:
            at.best_top1, at.best_loss = score(found), found["loss"]
        if r.place.first:
            write_model(r.folder / "best.safetensors", best_model(r, found))
    r.log.epoch(
        at.total,
        epoch=at.epoch,
        phase=row,
        image=phase.image,
        train_loss=at.loss_sum / at.seen if at.seen else None,
        **{"train_labels_right" if r.photos.several else "train_top1": at.hits / at.seen if at.seen else None},
        skipped=at.skipped,
        validation=found,
        lr=r.recipe.optimizer.lr * phase.lr_factor * lr_factor(r.recipe.schedule, at.epoch + 1, r.recipe.epochs),
        seconds=round(time.monotonic() - r.epoch_began, 2),
        validation_seconds=round(time.monotonic() - began, 2),
    )
    if last:
        r.log.end(at.total, raw=raw, dead=dead_channels(cast("Net", r.ema.net)))
    r.progress.say(describe_epoch(r, found))
    at.next_epoch()
    r.epoch_began = time.monotonic()
    save(r)


def best_model(r: Run, found: dict[str, Any] | None) -> Model:
    """The averaged weights with what is known of them; published metrics were those of the weights it started from."""
    facts = {name: value for name, value in r.facts.items() if name != "metrics"}
    facts |= {"validation": found, "epoch": r.position.epoch, "recipe": r.recipe.to_json()}
    labels = "several" if r.photos.several else "one"
    return Model(r.net.arch, r.photos.classes, r.preprocess, r.ema.state_dict(), facts, labels)


def save(r: Run) -> None:
    """What the first process writes stands for all."""
    r.position.log_bytes = r.log.sync()
    if r.place.first:
        r.checkpoint.save(r.position)


def leave(r: Run) -> NoReturn:
    """Save, then leave together: who ended sooner would say that all is saved while the first still writes."""
    r.place.once(lambda: save(r))
    at = r.position
    with r.place.said_once():
        raise TrainingStopped(
            f"Stopped in epoch {at.epoch + 1} of {r.recipe.epochs}, after {at.total} steps, and saved."
            f" Go on with: linnet train --resume {quote(str(r.folder))}"
        )


def describe_epoch(r: Run, found: dict[str, Any] | None) -> str:
    at = r.position
    text = f"epoch {at.epoch + 1}/{r.recipe.epochs}  train loss {at.loss_sum / max(at.seen, 1):.3f}"
    if found:
        text += f"  validation {described(found, '')}"
    return text + ("  best so far" if at.best_epoch == at.epoch else "")
