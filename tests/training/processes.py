"""What each of several processes runs in the tests: trainings, one after the other, as a JSON file lists them.

    python processes.py JOBS.json        RANK, WORLD_SIZE, ... are set as torchrun sets them

A job has a `folder`, `photos` and a `recipe` (none: go on with what is there); `at`, `rank` and `what` make the process of that
rank do something at that step; `gone` names a training photo that is missing. What came of each is printed: "done" or an exit code.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import signal
import sys
from pathlib import Path
from typing import Any

import torch

from linnet.data.source import find_photos
from linnet.errors import LinnetError
from linnet.training.distributed import Place, joined
from linnet.training.loop import run
from linnet.training.loss import Loss
from linnet.training.progress import Progress
from linnet.training.recipe import Recipe


class At(Progress):
    """Does `what` in step number `at` (from 1) of this process."""

    def __init__(self, at: int, what: str) -> None:
        super().__init__(quiet=True)
        self.left, self.what = at, what

    def step(self, *args: Any) -> None:
        self.left -= 1
        if self.left == 0 and self.what != "nan":
            os.kill(os.getpid(), signal.Signals[self.what])


def train(job: dict[str, Any], place: Place) -> str:
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

    Loss.per_sample = poisoned
    try:
        run(recipe, photos, job["folder"], resume=recipe is None, progress=progress, place=place)
    except LinnetError as error:
        return f"{getattr(error, 'exit_code', 1)}: {error}"
    except SystemExit as left_silently:
        return f"{left_silently.code}"
    finally:
        Loss.per_sample = plain
    return "done"


if __name__ == "__main__":
    with joined() as place:
        for job in json.loads(Path(sys.argv[1]).read_text()):
            print(train(job, place), flush=True)
