"""From scratch: Linnet with growing images, Linnet at one size, and a plain script with timm's model; three seeds, in turn.

    python benchmarks/from_scratch.py clothing PHOTOS     # train/ validation/ test/ of clothing photos; about 20 minutes
    python benchmarks/from_scratch.py cifar10 FOLDER      # as benchmarks/cifar_folder.py makes it; about an hour
    python benchmarks/from_scratch.py whole PHOTOS        # clothing at the length that Linnet takes by itself; not run yet

Two questions. Progressive learning's own claim: at equal epochs, are growing images faster and no worse than one size? And
against others: the plain script (benchmarks/plain.py: average of the weights, one-cycle schedule, its fastest layout and
precision; RandAugment for clothing, none for CIFAR-10, as Linnet) trains the same network at the same last size for as
many whole epochs as fit into the time of Linnet's growing run, rounded up; its learning rate is the best of two on one
seed. `whole` asks the first question alone, over the epochs that Linnet's first recipe has. Times run from the first look at the folder to the last validation. Every run is a process of its own.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from about import about
from fine_tune import apart
from int8_accuracy import without_strides
from plain import Plain, measure_formats, train_plain

from linnet.arch.names import find
from linnet.data.preprocess import Preprocess
from linnet.evaluation.evaluate import evaluate_model
from linnet.evaluation.intervals import wilson
from linnet.files import write_json
from linnet.training.ingredients import AdamW, Cosine
from linnet.training.loop import run
from linnet.training.progressive import progressive
from linnet.training.recipe import Recipe
from linnet.training.start import first_recipe, look_at, new_run
from linnet.weights.model import read_model

SEEDS, RATES = (0, 1, 2), (2e-3, 4e-3)


@dataclass(frozen=True)
class Task:
    network: str
    epochs: int | None  # none: as many as Linnet's first recipe has
    image: int
    first_image: int
    crop_area: tuple[float, float]
    beside_plain: bool = True
    small: bool = False  # pictures of 32 pixels: the first two strides of the network are taken away, no RandAugment


TASKS = {
    "clothing": Task("mobilenetv3_small_100", epochs=10, image=160, first_image=96, crop_area=(0.2, 1.0)),
    "whole": Task(
        "mobilenetv3_small_100", epochs=None, image=160, first_image=96, crop_area=(0.2, 1.0), beside_plain=False
    ),
    "cifar10": Task("mobilenetv3_small_100", epochs=3, image=32, first_image=24, crop_area=(0.6, 1.0), small=True),
}


def recipe_of(task: Task, photos: Path, n: int, seed: int, *, growing: bool) -> Recipe:
    """Linnet's first recipe where it takes such images, the same in its words where it does not."""
    if not task.small:
        recipe = first_recipe(
            arch=task.network, photos=n, root=str(photos), epochs=task.epochs, image=task.image, seed=seed,
            from_scratch=True,
        )  # fmt: skip
    else:
        recipe = Recipe(
            arch=without_strides(find(task.network), 2).to_json(), photos=str(photos), seed=seed,
            phases=progressive(
                task.epochs or 3, stages=3, image=(task.first_image, task.image), multiple=4, randaugment=(0, 0),
                dropout=(0, 0), batch=64,
            ),
            optimizer=AdamW(lr=2e-3), schedule=Cosine(warmup=0.5), ema=0.998, clip=5.0, crop_area=task.crop_area,
            pack=task.image,
            preprocess=Preprocess(image=task.image, crop=1.0).to_json(),
        )  # fmt: skip
    if growing:
        return recipe
    epochs = sum(phase.epochs for phase in recipe.phases)
    return dataclasses.replace(recipe, phases=(dataclasses.replace(recipe.phases[-1], epochs=epochs),))


def run_linnet(task: Task, photos: Path, seed: int, growing: bool) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        diagnosis = look_at(photos)
        recipe = recipe_of(task, photos, len(diagnosis.photos.train), seed, growing=growing)
        made = new_run(Path(folder) / "run", diagnosis)
        run(recipe, diagnosis.photos, made)
        seconds = time.monotonic() - began
        model = read_model(made)
        found = {s: evaluate_model(model, diagnosis.photos, name="", split=s).metrics for s in ("validation", "test")}
    return {"seconds": seconds, "images": [p.image for p in recipe.phases], **{s: m.top1 for s, m in found.items()},
            "n": {s: m.n for s, m in found.items()}}  # fmt: skip


def plain_of(task: Task, seed: int, epochs: int, lr: float) -> Plain:
    augmentation, crop = ("none", 1.0) if task.small else ("rand", 0.875)
    return Plain(task.network, task.image, epochs, lr, seed, augmentation=augmentation, ema=0.998,
                 crop_area=task.crop_area, crop=crop, small=task.small)  # fmt: skip


def run_plain(task: Task, photos: Path, seed: int, epochs: int, lr: float, form: str) -> dict[str, Any]:
    return {**train_plain(photos, plain_of(task, seed, epochs, lr), form), "epochs": epochs}


def plain_formats(task: Task, photos: Path) -> dict[str, float]:
    return measure_formats(photos, plain_of(task, 0, 1, RATES[0]))


@dataclass(frozen=True)
class Opponent:
    """The plain script as it is at its best: the fastest layout and precision, the better of RATES on one seed."""

    form: str
    formats: dict[str, float]
    rate: float
    trials: dict[float, dict[str, Any]]

    @classmethod
    def of(cls, task: Task, photos: Path) -> Opponent:
        formats = apart(plain_formats, task, photos)
        form = max(formats, key=lambda name: formats[name])
        trials = {lr: apart(run_plain, task, photos, 0, 2, lr, form) for lr in RATES}
        return cls(form, formats, max(trials, key=lambda rate: trials[rate]["validation"]), trials)

    @property
    def seconds_per_epoch(self) -> float:
        return statistics.median(row["seconds"] for row in self.trials.values()) / 2

    def to_json(self) -> dict[str, Any]:
        return {
            "plain_form": self.form, "plain_formats": self.formats, "plain_rate": self.rate,
            "plain_trials": {str(k): v for k, v in self.trials.items()},
        }  # fmt: skip


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("task", choices=TASKS)
    arguments.add_argument("photos", type=Path)
    given = arguments.parse_args()
    task, photos, facts = TASKS[given.task], given.photos, about()
    plain = Opponent.of(task, photos) if task.beside_plain else None
    rows: list[dict[str, Any]] = []
    for seed in SEEDS:
        grown = apart(run_linnet, task, photos, seed, True)
        rows.append({"side": "growing", "seed": seed, **grown})
        if plain:
            epochs = math.ceil(grown["seconds"] / plain.seconds_per_epoch)
            found = apart(run_plain, task, photos, seed, epochs, plain.rate, plain.form)
            rows.append({"side": "plain", "seed": seed, **found})
        rows.append({"side": "one size", "seed": seed, **apart(run_linnet, task, photos, seed, False)})
        result = {
            "about": facts, "task": dataclasses.asdict(task), **(plain.to_json() if plain else {}),
            "runs": rows, "summary": {side: summary(rows, side) for side in dict.fromkeys(row["side"] for row in rows)},
            "time_growing_by_one_size": ratio(rows, "growing", "one size"),
        }  # fmt: skip
        write_json(Path(__file__).parent / "results" / f"from_scratch_{given.task}.json", result)
    print(json.dumps({k: result[k] for k in ("summary", "time_growing_by_one_size")}, indent=1))


def summary(rows: list[dict[str, Any]], side: str) -> dict[str, Any]:
    """Median time, mean accuracies, and the 95 % interval that one run's photos leave of validation and test together."""
    own, n = [row for row in rows if row["side"] == side], rows[0]["n"]
    mean = {split: statistics.mean(row[split] for row in own) for split in ("validation", "test")}
    both = sum(mean[split] * n[split] for split in mean) / sum(n.values())
    return {"seeds": len(own), "seconds": statistics.median(row["seconds"] for row in own), **mean, "both": both,
            "interval_of_one_run": wilson(round(both * sum(n.values())), sum(n.values()))}  # fmt: skip


def ratio(rows: list[dict[str, Any]], side: str, other: str) -> dict[str, float]:
    of = lambda name: [row["seconds"] for row in rows if row["side"] == name]  # noqa: E731
    values = [mine / theirs for mine, theirs in zip(of(side), of(other), strict=True)]
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


if __name__ == "__main__":
    main()
