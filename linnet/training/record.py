"""What a step leaves behind in the log and on the screen."""

from __future__ import annotations

import math
import time

from torch import Tensor

from ..data.cuts import pixels_before
from .distributed import Share
from .guard import check_skipped
from .pictures import as_pictures, sheet
from .prepare import Run

LINES = 50  # step lines in the log per epoch, at most
SHOWN = 9  # pictures of a batch: encoding them took 0.2 s on a busy core, once in a phase


class Record:
    """Of one epoch: a line now and then, a note for every batch that was skipped and every photo that went bad."""

    def __init__(self, r: Run) -> None:
        self.r, self.steps = r, r.steps(r.position.epoch)
        self.every = math.ceil(self.steps / LINES)
        self.images, self.began, self.rate = 0, time.monotonic(), 0.0
        # Pixels seen before each step, the epochs before included: once, since those may be many.
        before = r.work(r.position.epoch)
        self.work = [before + done for done in pixels_before(**r.plan(r.position.epoch))]

    def first(self, images: Tensor) -> None:
        """At the first step of each phase, for TensorBoard: the batch as the network gets it, mixed and all."""
        r, at = self.r, self.r.position
        begins = at.step == 0 and (
            at.epoch == 0 or r.recipe.phase_of(at.epoch)[0] != r.recipe.phase_of(at.epoch - 1)[0]
        )
        if begins and r.log.draws:
            r.log.pictures(at.total, sheet(as_pictures(images[:SHOWN], r.preprocess)))

    def step(self, share: Share, *, loss: float, norm: float, lr: float, finite: bool) -> None:
        """Raises: TrainingError when too many steps were not finite."""
        r, at, number, batch = self.r, self.r.position, self.r.position.step - 1, share.batch
        self.images += share.n
        for path, reason in batch.bad:
            r.log.note(f"{path}: left out, it went bad since the photos were looked at ({reason})")
        if not finite:
            index = [i for part in r.place.gather(batch.index[share.front :].tolist()) for i in part]
            paths = [str(r.photos.train[i].path) for i in index]
            text = f"epoch {at.epoch}, step {number} skipped: loss {loss}, gradient norm {norm}"
            r.log.note(text, paths=paths)
            r.progress.say(f"{text}; its photos are named in {r.folder / 'log.jsonl'}")
            with r.place.said_once():
                check_skipped(at.skipped_in_a_row, at.skipped, self.steps, paths)
        elif number % self.every == 0:
            now = time.monotonic()
            self.rate, self.images, self.began = self.images / max(now - self.began, 1e-9), 0, now
            r.log.step(
                at.total,
                epoch=at.epoch,
                step=number,
                loss=loss,
                lr=lr,
                image=batch.images.shape[1],
                images_per_second=round(self.rate, 1),
                gradient_norm=norm,
                time=round(time.time(), 3),
            )
        epoch = f"{at.epoch + 1}/{r.recipe.epochs}"
        r.progress.step(self.work[at.step], epoch, self.rate, at.loss_sum / max(at.seen, 1))
