"""From photos and a budget to the network that is worth training: measured, tried on the photos, chosen."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..data.doctor import Diagnosis
from ..data.source import Photos
from ..errors import DataError, SettingError
from ..training.recipe import Recipe
from ..training.start import first_recipe, new_run, side_step
from ..training.stop import TrainingStopped
from .budget import Budget
from .candidates import Network, networks
from .front import Front, write_front
from .halving import Train, Trained, halve, packed_few, short_training
from .measuring import Measure, measure
from .option import Option, option_lines
from .promising import between, look_at_all, nearest

SHARE = 0.4  # of --minutes is for the search
AFTER = 0.15, 40.0  # share of --minutes and seconds that are kept for evaluation, export and proof
LEAST = 128  # pixels: smaller images are no way to save training time, fewer epochs are next
SIDES = 2  # of a network are judged after a short training: the largest ones that fit
PLACE = ".search.tmp"  # in the run's folder, while it lasts


def search(
    diagnosis: Diagnosis,
    budget: Budget,
    place: Path,
    given: Mapping[str, Any],
    began: float,
    *,
    from_scratch: bool = False,
    measure: Measure = measure,
    train: Train = short_training,
    say: Callable[[str], None],
) -> tuple[Path, Recipe]:
    """The folder of a new run with its candidates.json, and the recipe of its training.

    `given`: the user's own settings of `first_recipe`. `began`: when `fit` did, on the monotonic clock.
    Raises: DataError without validation photos; SettingError when nothing fits; TrainingStopped and TrainingError. Then
    there is no folder.
    """
    if not diagnosis.photos.validation:
        raise DataError(
            f"{diagnosis.photos.root}: there are no validation photos, and under a budget network and image size are chosen"
            " by them. Give photos that have some, or leave the budget out."
        )
    photos, named = diagnosis.photos, {name: given[name] for name in ("arch", "image") if name in given}
    own = given.get("pretrained") is not None
    known, options = look(photos, budget, **named, from_scratch=from_scratch, own=own, measure=measure, say=say)
    folder = new_run(place, diagnosis)
    settings = {name: given[name] for name in ("seed", "workers", "pretrained") if name in given}
    try:
        front = choose(
            photos, known, options, budget, folder, began=began, settings=settings, given=given, train=train, say=say
        )
        write_front(folder, front)
    except BaseException:  # Ctrl-C too: a run without a choice cannot be gone on with
        shutil.rmtree(folder, ignore_errors=True)
        raise
    for line in ("", *front.lines(), "", f"Training: {front.why}."):
        say(line)
    return folder, recipe_of(
        known[front.winner], len(photos.train), front.train_image, {**given, "epochs": front.epochs}
    )


def look(
    photos: Photos,
    budget: Budget,
    *,
    arch: str | None = None,
    image: int | None = None,
    from_scratch: bool = False,
    own: bool = False,
    measure: Measure = measure,
    say: Callable[[str], None],
) -> tuple[dict[str, Network], tuple[Option, ...]]:
    """All networks that may be the answer, by name, and their options as they were measured.

    `own`: the network that is named begins with weights that the user gave.
    Raises: SettingError when nothing fits, which names the nearest.
    """
    ways = budget.ways()
    found = networks(len(photos.classes), arch=arch, image=image, scratch=from_scratch)
    found = [replace(one, tuned=True) for one in found] if own else found
    say(f"Within {budget}: measuring networks on {', '.join(ways)}.")
    options = tuple(look_at_all(found, len(photos.train), budget, ways, measure, say))
    if not any(one.fits for one in options):
        for line in option_lines(options, None):
            say(line)
        near = nearest(options, budget)
        said = "None could be measured." if near is None else f"The nearest is {near.name}: {near.verdict}."
        other = ", or more --threads, or a smaller --image" if budget.latency_ms is not None else ""
        raise SettingError(
            f"Nothing that Linnet tried fits {budget}. {said} Allow as much"
            f"{', or another --runtime' if budget.runtime != 'auto' else other}."
        )
    return {one.name: one for one in found}, options


def choose(
    photos: Photos,
    known: Mapping[str, Network],
    options: Sequence[Option],
    budget: Budget,
    folder: Path,
    *,
    began: float,
    settings: Mapping[str, Any],
    given: Mapping[str, Any],
    train: Train = short_training,
    say: Callable[[str], None],
) -> Front:
    """The network to train, by short trainings in the run's `folder`; `began` is when `fit` did, on the monotonic clock.

    `settings` lie over each short training's recipe; `given` are the user's own, which the plan of the whole training keeps.
    Raises: TrainingStopped; TrainingError when no short training succeeds.
    """
    sides = {
        name: (known[name], sides_of_fitting(options, name))
        for name in dict.fromkeys(one.arch for one in options if one.fits)
    }
    deadline = None if budget.minutes is None else began + SHARE * 60 * budget.minutes
    trained: list[Trained] = []
    (first, (network, _)), *others = sides.items()
    winner, why = first, f"{first} is the only network that fits"
    if others or budget.minutes is not None:
        say(f"Trying {len(sides)} network{'s' * bool(others)} on the photos, each for a short time.")
        place = folder / PLACE
        place.mkdir()
        try:
            few = packed_few(photos, max(max(judged) for _, judged in sides.values()), place / "photos")
            trained, why = halve(sides, few, place, deadline=deadline, settings=settings, train=train, say=say)
        except TrainingStopped:
            raise TrainingStopped(
                "Stopped while networks were tried, before one was chosen. Start again with the same command."
            ) from None
        finally:
            shutil.rmtree(place, ignore_errors=True)
        winner = trained[0].network.name
        network = trained[0].network
        why = f"{winner} is {why}"
    accuracies = {(one.network.name, image): share for one in trained for image, share in one.accuracy.items()}
    left = (
        None if budget.minutes is None else began + 60 * budget.minutes * (1 - AFTER[0]) - AFTER[1] - time.monotonic()
    )
    mine = [one for one in options if one.arch == winner]
    largest = max(one.image for one in mine if one.fits)
    train_image, epochs = plan(network, largest, len(photos.train), given, trained[0] if trained else None, left)
    smaller = between(network, mine, train_image)
    seen = tuple(replace(one, accuracy=accuracies.get((one.arch, one.image))) for one in (*options, *smaller))
    if trained and left is not None:
        needed = training_seconds(network, len(photos.train), train_image, {**given, "epochs": epochs}, trained[0])
        if needed > left:
            say(
                f"--minutes {budget.minutes:g} is too short: the training takes about {needed / 60:.1f} minutes, and"
                f" {max(left, 0) / 60:.1f} are left for it. It is done all the same."
            )
    return Front(budget, seen, winner, why, train_image, epochs, round(time.monotonic() - began, 1), network.sides)


def sides_of_fitting(options: Sequence[Option], name: str) -> list[int]:
    """The largest SIDES at which a network fits on any way, ascending."""
    return sorted({one.image for one in options if one.arch == name and one.fits})[-SIDES:]


def plan(
    network: Network, image: int, photos: int, given: Mapping[str, Any], trained: Trained | None, left: float | None
) -> tuple[int, int]:
    """Side and epochs of the whole training, for a model that may see `image` pixels, within `left` seconds.

    It trains at that side; where time is short at a smaller one, down to LEAST, and then in fewer epochs.
    """
    step = side_step(network.arch)
    wanted = given.get("image") or image
    epochs = recipe_of(network, photos, wanted, given).epochs
    if trained is None or left is None:
        return wanted, epochs

    def seconds(at: int, number: int | None) -> float:
        settings = {**given, **({"epochs": number} if number else {})}
        return training_seconds(network, photos, at, settings, trained)

    least = wanted if given.get("image") else min(wanted, LEAST)
    smaller = range(wanted, least - 1, -step)
    for at in smaller:
        if seconds(at, None) <= left:
            return at, epochs
    at = smaller[-1]
    if given.get("epochs"):
        return at, epochs
    return at, next((number for number in range(epochs, 2, -1) if seconds(at, number) <= left), min(epochs, 2))


def training_seconds(network: Network, photos: int, image: int, given: Mapping[str, Any], trained: Trained) -> float:
    """Of the whole training, by the pixels that it sees, from what a short one took for its own."""
    phases = recipe_of(network, photos, image, given).phases
    pixels = photos * sum(phase.epochs * phase.image**2 for phase in phases)
    return pixels * trained.seconds / trained.photos / trained.image**2


def recipe_of(network: Network, photos: int, image: int, given: Mapping[str, Any]) -> Recipe:
    settings = {**given, "arch": network.name, "image": image}
    return first_recipe(**settings, photos=photos, from_scratch=not network.tuned)
