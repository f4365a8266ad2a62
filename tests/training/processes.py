"""What each of several processes runs in the tests: trainings, one after the other, as a JSON file lists them.

    python processes.py JOBS.json        RANK, WORLD_SIZE, ... are set as torchrun sets them

A job has a `folder`, `photos` and a `recipe` (none: go on with what is there); `at`, `rank` and `what` make the process of that
rank do something at that step; `gone` is a training photo that is missing, `slow` how many seconds saving takes, `late` the rank
whose clock says at every step that a checkpoint is due. What came of each is printed: "done", or an exit code, and what was saved.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from linnet.data.source import find_photos
from linnet.errors import LinnetError
from linnet.training.checkpoint import Checkpoint, Position
from linnet.training.distributed import Place, joined
from linnet.training.loop import run
from linnet.training.loss import Loss
from linnet.training.progress import Progress
from linnet.training.recipe import Recipe
from linnet.weights.tensors import read_tensors


class At(Progress):
    """Does `what` in step number `at` (from 1) of this process."""

    def __init__(self, at: int, what: str) -> None:
        super().__init__(quiet=True)
        self.left, self.what = at, what

    def step(self, *args: Any) -> None:
        self.left -= 1
        if self.left == 0 and self.what != "nan":
            os.kill(os.getpid(), signal.Signals[self.what])


def train(job: dict[str, Any], place: Place, patch: pytest.MonkeyPatch) -> str:
    photos = find_photos(Path(job["photos"]))
    if "gone" in job:
        members = list(photos.train)
        members[job["gone"]] = dataclasses.replace(members[job["gone"]], path=Path("gone.png"))
        photos = dataclasses.replace(photos, train=tuple(members))
    recipe = Recipe.from_json(job["recipe"]) if job["recipe"] else None
    mine = job.get("rank") == place.rank
    progress = At(job["at"], job["what"]) if mine else Progress(quiet=True)
    plain, left = Loss.per_sample, [job.get("at", 0) if mine and job.get("what") == "nan" else 0]

    def poisoned(self: Loss, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        left[0] -= 1
        return plain(self, logits, targets) * (math.nan if left[0] == 0 else 1)

    saves, save = [0], Checkpoint.save

    def counted(self: Checkpoint, position: Position) -> None:
        time.sleep(job.get("slow", 0))
        save(self, position)
        saves[0] += 1

    patch.setattr(Loss, "per_sample", poisoned)
    patch.setattr(Checkpoint, "save", counted)
    if "late" in job:
        patch.setattr(Checkpoint, "is_due", property(lambda _: job["late"] == place.rank))
    try:
        run(recipe, photos, job["folder"], resume=recipe is None, progress=progress, place=place)
    except LinnetError as error:
        return f"{getattr(error, 'exit_code', 1)}: {error}"
    except SystemExit as left_silently:
        if not (Path(job["folder"]) / "last.ckpt").exists():
            return f"{left_silently.code}"
        _, saved = read_tensors(Path(job["folder"]) / "last.ckpt", kind="checkpoint", remedy="")
        return f"{left_silently.code}, {saved['total']} steps saved"
    return f"done, {saves[0]} saves" if "late" in job else "done"


if __name__ == "__main__":
    with joined() as place:
        for job in json.loads(Path(sys.argv[1]).read_text()):
            with pytest.MonkeyPatch.context() as patch:
                print(train(job, place, patch), flush=True)
