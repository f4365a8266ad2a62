"""One of two models that are compared: what it is, what it costs, how it was trained."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import LinnetError
from .folder import RunFolder, read_run
from .headline import network_name
from .inputs import network_of
from .proof import certificates_of, title
from .section import Missing
from .text import finite


@dataclass(frozen=True)
class Latency:
    """As a bundle's certificate states it, with where it was measured: figures of two machines do not compare."""

    median_ms: float
    runtime: str
    image: int | None
    threads: int | None
    processor: str


@dataclass(frozen=True)
class Side:
    """None, or nothing, where the run or bundle does not say."""

    name: str
    arch: str
    image: int | None
    params: int | None
    madds: int | None
    size_bytes: int | None
    latency: Latency | None
    train_seconds: float | None
    curve: tuple[tuple[int, float, float], ...]  # (epochs done, minutes of training, validation accuracy)
    losses: tuple[tuple[int, float], ...]  # (epochs done, training loss)

    def to_json(self) -> dict[str, Any]:
        latency = self.latency.__dict__ if self.latency else None
        curves = {"curve": [list(one) for one in self.curve], "losses": [list(one) for one in self.losses]}
        return {**self.__dict__, "latency": latency, **curves}


def read_side(path: Path) -> Side:
    """Raises: SettingError when there is nothing of a run or bundle in the folder."""
    run = read_run(path)
    image = params = madds = None
    try:
        from ..cost.count import count

        arch, image = network_of(run)
        total = count(arch, image).total
        params, madds = total.params, total.madds
    except (Missing, LinnetError, AttributeError, LookupError, TypeError, ValueError):
        pass  # a network that this version does not know is compared all the same
    curve, losses, seconds = [], [], 0.0
    for line in run.epochs:
        seconds += line["seconds"] if finite(line.get("seconds")) else 0.0
        found = line.get("validation")
        if isinstance(found, dict) and finite(found.get("top1")):
            curve.append((line["epoch"] + 1, round(seconds / 60, 4), found["top1"]))
        if finite(line.get("train_loss")):
            losses.append((line["epoch"] + 1, line["train_loss"]))
    proven = next((c for c in certificates_of(run) if isinstance(c.get("latency"), dict)), {})
    size = proven.get("size_bytes")
    return Side(
        name=str(path),
        arch=network_name(run),
        image=image,
        params=params,
        madds=madds,
        size_bytes=size if isinstance(size, int) else None,
        latency=_latency(proven),
        train_seconds=round(seconds, 2) if seconds else None,
        curve=tuple(curve),
        losses=tuple(losses),
    )


def _latency(certificate: Any) -> Latency | None:
    told = certificate.get("latency", {})
    if not finite(told.get("median_ms")):
        return None
    machine = certificate.get("machine")
    processor = machine.get("processor", "") if isinstance(machine, dict) else ""
    return Latency(told["median_ms"], title(certificate), told.get("image"), told.get("threads"), str(processor))


def recorded_photos(run: RunFolder) -> Path | None:
    """Where the run found its photos."""
    place = run.recipe.get("photos")
    return Path(place) if isinstance(place, str) and place else None
