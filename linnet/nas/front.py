"""What a search saw and what it chose, as a value and as a run's candidates.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import SettingError, WeightsError
from ..files import write_json
from .budget import Budget
from .option import Option, option_lines

FILE = "candidates.json"
KIND, SCHEMA = "linnet candidates", 1


@dataclass(frozen=True)
class Tried:
    """A finished model's turn at a budget: the option, its validation accuracy, and why it was not taken ("" if it was).

    `again_ms`: the median in a new process, the lowest of `processes`; `memory_bytes` likewise.
    """

    image: int
    way: str
    accuracy: float | None = None
    again_ms: float | None = None
    processes: int = 0
    size_bytes: int | None = None
    memory_bytes: int | None = None
    reason: str = ""


@dataclass(frozen=True)
class Front:
    """All options that were looked at, those of the winner's network that fit being tried in the end; `why` it won."""

    budget: Budget
    options: tuple[Option, ...]
    winner: str  # the network's name
    why: str
    train_image: int
    epochs: int
    seconds: float  # that the search took
    sides: tuple[int, ...] = ()  # that the winner may see at all, ascending
    tried: tuple[Tried, ...] = ()

    @property
    def fitting(self) -> tuple[Option, ...]:
        """Those of the winner's network that fit, the largest image first, of equals the fastest."""
        mine = [one for one in self.options if one.arch == self.winner and one.fits]
        return tuple(sorted(mine, key=lambda one: (-one.image, one.measured_ms or one.predicted_ms or 0)))

    @property
    def chosen(self) -> Option | None:
        """The option that was shipped, or as long as none is, the first that will be tried."""
        last = self.tried[-1] if self.tried and not self.tried[-1].reason else None
        if last is None:
            return self.fitting[0] if self.fitting else None
        return next((one for one in self.fitting if (one.image, one.way) == (last.image, last.way)), None)

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": KIND,
            "schema": SCHEMA,
            "budget": self.budget.to_json(),
            "winner": self.winner,
            "why": self.why,
            "train_image": self.train_image,
            "epochs": self.epochs,
            "seconds": round(self.seconds, 1),
            "sides": list(self.sides),
            "options": [one.to_json() for one in self.options],
            "tried": [asdict(one) for one in self.tried],
        }

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> Front:
        """Raises: TypeError, KeyError, ValueError, SettingError for what `to_json` does not write."""
        if (value["kind"], value["schema"]) != (KIND, SCHEMA):
            raise ValueError(f"{value['kind']} {value['schema']}, not {KIND} {SCHEMA}")
        return Front(
            budget=Budget(**value["budget"]),
            options=tuple(map(Option.from_json, value["options"])),
            tried=tuple(Tried(**one) for one in value["tried"]),
            sides=tuple(value["sides"]),
            **{name: value[name] for name in ("winner", "why", "train_image", "epochs", "seconds")},
        )

    def spare(self) -> tuple[Option, ...]:
        """Smaller than all that was measured to fit, for a machine that has become slower: two sides on each way."""
        ways = {one.way: one.size_bytes for one in self.fitting}
        least = min((one.image for one in self.fitting), default=0)
        below = [side for side in reversed(self.sides) if side < least][:2]
        return tuple(Option(self.winner, side, way, size) for side in below for way, size in ways.items())

    def verdict(self) -> list[str]:
        """What was promised and what was measured in the end, for a person."""
        last, ready = (
            self.tried[-1],
            f"{len(self.tried) - 1} before it did not stay within it; " * (len(self.tried) > 1),
        )
        seen = [one for one in self.options if one.measured_ms is not None]
        memory = f", {last.memory_bytes / 1e6:.0f} MB of memory" if last.memory_bytes else ""
        return [
            f"within {self.budget}: {ready}{last.again_ms:.2f} ms a photo of {last.image} px on {last.way} in a new process,"
            f" {(last.size_bytes or 0) / 1e6:.1f} MB{memory}",
            f"why: {self.why}; of {len(seen)} combinations measured {sum(one.fits for one in seen)} fit",
        ]

    def lines(self) -> list[str]:
        """The table, for a person."""
        return option_lines(self.options, self.chosen)


def write_front(folder: Path, front: Front) -> None:
    write_json(folder / FILE, front.to_json())


def read_front(folder: Path) -> Front | None:
    """The front of a run that was made under a budget; None of any other run.

    Raises: WeightsError when the file is damaged.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        return Front.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError, SettingError) as error:
        raise WeightsError(
            f"{path}: cannot be understood ({type(error).__name__}: {error}). Fit again, or export the run as it is:"
            f" linnet export {folder}"
        ) from None
