"""From a trained network to a bundle within the budget, measured again in a new process; never one that is over."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..data.source import Photos
from ..deploy.bench.peak import peak_memory
from ..deploy.bundle import Bundle, Runtime
from ..deploy.export import export_model
from ..deploy.runtime.known import find_way
from ..errors import ProofError
from ..weights.model import Model
from .again import again
from .budget import Budget
from .front import Front, Tried, write_front
from .halving import judged
from .option import Option

MOST = 8  # tries
PROOFS = 2  # that a way may fail: what int8 loses hangs on the weights, hardly on the side, and a proof takes minutes

Export = Callable[[int, str], Bundle]  # (side, way): a bundle with that alone; ProofError where it does not pass
Again = Callable[[Bundle, str, Budget], Tried]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Shipped:
    """The bundle, and the front with all that was tried."""

    bundle: Bundle
    front: Front


def shipped(
    model: Model, photos: Photos, front: Front, place: Path, settings: Mapping[str, Any], *, say: Say
) -> tuple[Model, Bundle, Front]:
    """The model at the side that it is shipped at, its bundle `place`, and the front with what was tried.

    `settings` go to `export_model`. candidates.json beside `place` is written anew.
    Raises: ProofError when nothing is within the budget.
    """

    def export(side: int, way: str) -> Bundle:
        one = replace(model, preprocess=model.preprocess.at(side))
        return export_model(one, photos, place, to=(way,), threads=front.budget.threads, **settings)

    sides = sorted({one.image for one in front.fitting})
    accuracy = validated(model, photos, sides, workers=settings["workers"])
    try:
        done = ship(front, accuracy, export, measure_again, say)
    except Unshipped as failed:
        write_front(place.parent, failed.front)
        raise
    write_front(place.parent, done.front)
    side = done.bundle.preprocess.image
    return replace(model, preprocess=model.preprocess.at(side)), done.bundle, done.front


def validated(model: Model, photos: Photos, sides: Sequence[int], *, workers: int) -> dict[int, float]:
    """The finished network's accuracy on the validation photos by side; of one side alone nothing is measured."""
    if len(sides) < 2 or not photos.validation:
        return {}
    net = model.net()
    return {side: judged(net, photos, model.preprocess.at(side), workers=workers)[0] for side in sides}


def ship(front: Front, accuracy: Mapping[int, float], export: Export, measured: Again, say: Say) -> Shipped:
    """Try the winner's options, the most accurate first, until one is within the budget when measured again.

    `accuracy`: of the finished network by side, on the validation photos.
    Raises: Unshipped, naming the nearest, when none is.
    """
    tried: list[Tried] = []
    for option in (*order(front, accuracy), *front.spare()):
        if len(tried) == MOST or hopeless(option, tried, front):
            continue
        share = accuracy.get(option.image)
        try:
            bundle = export(option.image, option.way)
        except ProofError as error:
            tried.append(Tried(option.image, option.way, share, reason=first_line(error)))
            say(f"{option.name}: {tried[-1].reason}")
            continue
        within = False
        try:
            one = replace(measured(bundle, option.way, front.budget), accuracy=share)
            over = front.budget.excess(one.again_ms, one.size_bytes or 0, one.memory_bytes)
            tried.append(replace(one, reason=over))
            within = not over
        except ProofError as error:
            tried.append(Tried(option.image, option.way, share, reason=first_line(error)))
        finally:
            if (
                not within
            ):  # ours, made just now; what is over the budget, or was not measured to the end, does not go out
                shutil.rmtree(bundle.folder)
        if within:
            return Shipped(bundle, replace(front, tried=tuple(tried)))
        say(f"{option.name} in a new process: {tried[-1].reason}. The next one is tried.")
    raise Unshipped(replace(front, tried=tuple(tried)))


class Unshipped(ProofError):
    """No option of a finished network is within the budget any more."""

    def __init__(self, front: Front) -> None:
        self.front = front
        measured = [one for one in front.tried if one.again_ms is not None]
        near = min(measured, key=lambda one: one.again_ms or 0, default=None)
        said = (
            f" The nearest is {near.image} px on {near.way}: {near.again_ms:.2f} ms, {(near.size_bytes or 0) / 1e6:.1f} MB."
            if near is not None
            else "".join(f" {one.way} at {one.image} px: {one.reason.rstrip('.')}." for one in front.tried[:1])
        )
        super().__init__(
            f"{front.winner} is trained, but nothing of it stays within {front.budget} when measured again in a new"
            f" process.{said} The run is kept; when the machine is idle, go on with `linnet fit --resume RUN`, or export"
            " it without a budget: linnet export RUN"
        )


def order(front: Front, accuracy: Mapping[int, float]) -> list[Option]:
    """The most accurate side first, of equals the smaller; at a side the exact ways before int8, then the fastest."""
    return sorted(
        front.fitting,
        key=lambda one: (
            -accuracy.get(one.image, 0.0), one.image, find_way(one.way)[1] == "int8",
            one.measured_ms or one.predicted_ms or 0,
        ),
    )  # fmt: skip


def hopeless(option: Option, tried: Sequence[Tried], front: Front) -> bool:
    """Whether its way was too slow at this side or a smaller one, or has failed PROOFS proofs, at whichever sides."""
    limit, own = front.budget.latency_ms, [one for one in tried if one.way == option.way]
    slow = limit is not None and any(one.image <= option.image and (one.again_ms or 0) > limit for one in own)
    return slow or sum(one.again_ms is None for one in own) >= PROOFS


def measure_again(bundle: Bundle, way: str, budget: Budget) -> Tried:
    """What a new process says of a bundle's way. Raises: ProofError when it cannot run it."""
    ms, processes = again(bundle.folder, way, threads=budget.threads, limit=budget.latency_ms)
    runtime = bundle.runtimes[0]
    files = tuple(bundle.read(name) for name in (runtime.file, *runtime.more))
    peak = None
    if budget.memory_mb is not None:
        peak = peak_memory(runtime.runtime, runtime.precision, files, picture(bundle, runtime), threads=budget.threads)
    return Tried(
        bundle.preprocess.image, way, None, round(ms, 3), processes, sum(map(len, files)),
        peak.peak_bytes if peak else None,
    )  # fmt: skip


def picture(bundle: Bundle, runtime: Runtime) -> np.ndarray:
    side = bundle.preprocess.image
    if runtime.input == "uint8":
        return np.zeros((1, side, side, 3), np.uint8)
    return np.zeros((1, 3, side, side), np.float32)


def first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:300]
