"""Short trainings on the user's photos: all candidates a little, the better half more, until one is left."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..data.pack import pack_training
from ..data.source import Photo, Photos
from ..deploy.int8.calibration import balanced
from ..errors import TrainingError
from ..evaluation.evaluate import predict_logits
from ..evaluation.intervals import wilson
from ..evaluation.label_metrics import measure_several
from ..evaluation.metrics import measure
from ..training.log import read_log
from ..training.loop import run
from ..training.progress import Progress
from ..training.recipe import Recipe
from ..training.several import with_loss
from ..training.start import PACK, first_recipe, side, side_step
from ..training.stop import TrainingStopped
from ..weights.model import read_model
from .candidates import Network

MOST = 3000  # photos of an epoch of a short training, and at most a third as many to judge by
SHORT = 0.7  # of the largest side that fits: what a short training sees, at most SHORT_MOST pixels
SHORT_MOST = 160
SETTLED = ("precision", "memory_format", "threads", "workers", "compile")


@dataclass(frozen=True)
class Trained:
    """A network after a short training. `accuracy`: by side, a share of `n` validation photos, or the mean average
    precision of several labels each. `seconds`: of one epoch of `photos` at `image`. `settings`: what "auto" came to."""

    network: Network
    accuracy: Mapping[int, float]
    n: int
    image: int
    photos: int
    seconds: float
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def best(self) -> float:
        return max(self.accuracy.values())


# (network, sides to judge at, epochs, photos packed, folder, settings) -> what came of it
Train = Callable[[Network, Sequence[int], int, Photos, Path, Mapping[str, Any]], Trained]


def halve(
    sides: Mapping[str, tuple[Network, Sequence[int]]],
    photos: Photos,
    folder: Path,
    *,
    deadline: float | None,
    settings: Mapping[str, Any],
    train: Train,
    say: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
) -> tuple[list[Trained], str]:
    """The candidates in the order of their accuracy, the winner first, and a sentence on how it was found.

    `sides`: by name a network and the sides that it is judged at. Epochs double from round to round. Who is surely worse
    than the best (their 95 % intervals do not touch) does not go on either, nor does one whose training fails. After the
    `deadline` the best so far wins.
    Raises: TrainingStopped; TrainingError when no training succeeds.
    """
    racing, epochs, trained, found = list(sides), 1, 1, dict[str, Trained]()
    why = "the only network that fits"
    while len(racing) > 1 or not found:
        late = False
        for name in racing:
            if deadline is not None and clock() > deadline and found:
                late = True
                break
            network, judged = sides[name]
            try:
                found[name] = one = train(network, judged, epochs, photos, folder / f"{name}-{epochs}", settings)
            except TrainingStopped:
                raise
            except TrainingError as error:  # such as a loss that grew without end: the others may do better
                found.pop(name, None)
                say(f"  {name}: left out ({str(error).partition('. ')[0]})")
                if name == racing[-1] and not found:
                    raise
                continue
            settings, trained = one.settings, epochs
            at = max(one.accuracy, key=lambda image: one.accuracy[image])
            say(f"  {name}: {100 * one.best:.1f} % at {at} px after {epochs} epoch{'s' * (epochs > 1)}")
        going = [name for name in racing if name in found] or list(
            found
        )  # if all failed: those that had stopped before
        order = sorted(going, key=lambda name: -found[name].best)
        if len(racing) > 1:
            why = f"the most accurate of {len(found)} network{'s' * (len(found) > 1)} after short trainings of up to {trained} epoch{'s' * (trained > 1)}"
        if late:
            why += f", when the time for the other {len(sides) - len(found)} was up" * (len(found) < len(sides))
            return ordered(found, order[0]), why
        racing = survivors(order, found)
        epochs *= 2
    return ordered(found, racing[0]), why


def survivors(order: Sequence[str], found: Mapping[str, Trained]) -> list[str]:
    """The better half, without those that are surely worse than the first."""
    half = order[: max(1, (len(order) + 1) // 2)] if len(order) > 1 else list(order)
    best = found[order[0]]
    low = wilson(round(best.best * best.n), best.n)[0]
    return [
        name for name in half
        if name == order[0] or wilson(round(found[name].best * found[name].n), found[name].n)[1] >= low
    ]  # fmt: skip


def ordered(found: Mapping[str, Trained], winner: str) -> list[Trained]:
    rest = sorted((name for name in found if name != winner), key=lambda name: -found[name].best)
    return [found[name] for name in (winner, *rest)]


def short_training(
    network: Network, sides: Sequence[int], epochs: int, photos: Photos, folder: Path, settings: Mapping[str, Any]
) -> Trained:
    """Train a network in `folder`, which is taken away again, and judge it at all `sides`.

    `settings` lie over its first recipe: those that an earlier one found for "auto".
    Raises: TrainingStopped, and whatever training raises.
    """
    image = side(SHORT, min(round(SHORT_MOST / SHORT), max(sides)), side_step(network.arch))
    recipe = first_recipe(
        arch=network.name, photos=len(photos.train), epochs=epochs, image=image, from_scratch=not network.tuned
    )
    # Without an average: so few steps have none worth the name, and it would be validated beside the weights.
    recipe = replace(with_loss(recipe, photos), pack=None, eval_image=image, ema=0.0, **settings)
    try:
        run(recipe, photos, folder, progress=Progress(quiet=True))
        done, model = Recipe.load(folder / "recipe.json"), read_model(folder)
        lines = [line for line in read_log(folder) if line["kind"] == "epoch"]
        accuracy, n, net = dict[int, float](), 0, model.net()
        for one in sides:
            accuracy[one], n = judged(net, photos, model.preprocess.at(one), workers=int(done.workers))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    seconds = max(line["seconds"] - line["validation_seconds"] for line in lines)
    settled = {name: getattr(done, name) for name in SETTLED}
    return Trained(network, accuracy, n, image, len(photos.train), seconds, {**settings, **settled})


def judged(net: Any, photos: Photos, preprocess: Any, *, workers: int) -> tuple[float, int]:
    """Accuracy on the validation photos, or the mean average precision of several labels each, and of how many photos."""
    answers = predict_logits(net, photos.validation, preprocess, workers=workers)
    if photos.several:
        return measure_several(answers.logits, answers.labels, draws=0).mean_average_precision, len(answers.index)
    return measure(answers.logits, answers.labels).top1, len(answers.index)


def packed_few(photos: Photos, largest: int, folder: Path) -> Photos:
    """At most MOST photos to train on and a third as many to judge by, as many of each class as there are, decoded once.

    `largest`: the largest side that any of them is seen at.
    """
    train, rest = balanced(photos.train, MOST), balanced(photos.validation, MOST // 3)
    together = replace(photos, train=(*train, *rest))
    packed: tuple[Photo, ...] = pack_training(together, round(PACK * largest), folder, upright=True).train
    return replace(photos, train=packed[: len(train)], validation=packed[len(train) :], test=())
