"""What a bench found: a row per contestant, who cannot be told from whom, on which machine; as a table and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from .figures import Ratio, spread
from .pareto import Point

KIND, SCHEMA = "linnet bench", 1


@dataclass(frozen=True)
class Row:
    """One contestant. What the source of the figures does not say is None.

    Milliseconds are of one call with a whole batch; `images_per_second` is of all streams together.
    `peak_bytes` is the most that a new process takes to load it and predict once, `before_bytes` that without the runtime.
    """

    name: str  # as the pairs call it
    model: str
    way: str
    image: int | None
    batch: int
    streams: int
    threads: int | None  # of each stream
    median_ms: float
    p10_ms: float | None
    p90_ms: float | None
    p99_ms: float | None
    images_per_second: float
    calls: int
    warm_up: int | None = None  # turns until it was warm
    size_bytes: int | None = None
    peak_bytes: int | None = None
    before_bytes: int | None = None
    accuracy: float | None = None
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class Bench:
    """`rows` come in the order of their medians, and `pairs` compare every two of them. `where` is the machine, in a line.

    A pair goes by its rounds: where the machine swung, its faster one may be the later row.

    `mode`: "latency", "throughput", or "imported" for figures of another program.
    """

    mode: str
    rows: tuple[Row, ...]
    pairs: tuple[Ratio, ...]
    drift: float | None
    where: str
    facts: dict[str, Any]  # machine, versions, load, date, what was asked for
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": KIND,
            "schema": SCHEMA,
            "mode": self.mode,
            **self.facts,
            "rows": [{key: value for key, value in asdict(row).items() if value is not None} for row in self.rows],
            "pairs": [pair.to_json() for pair in self.pairs],
            "drift": self.drift,
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        return "\n".join(
            [self.where, "", *columns(head(self), [cells(self, row) for row in self.rows]), *self.remarks()]
        )

    def remarks(self) -> list[str]:
        said = [
            f"{pair.faster} and {pair.slower} cannot be told apart: {pair}."
            for pair in self.neighbours()
            if not pair.told_apart
        ]
        return ["", *said, *self.notes] if said or self.notes else []

    def neighbours(self) -> list[Ratio]:
        """Of those that stand one behind the other."""
        found = [self.pair(one.name, other.name) for one, other in pairwise(self.rows)]
        return [pair for pair in found if pair]

    def pair(self, one: str, other: str) -> Ratio | None:
        """Of these two, whichever is the faster."""
        return next((pair for pair in self.pairs if {pair.faster, pair.slower} == {one, other}), None)

    def against_first(self, row: Row) -> str:
        pair = self.pair(self.rows[0].name, row.name)
        return "1" if row is self.rows[0] else spread(*pair.times(row.name)) if pair else ""

    def points(self) -> list[Point]:
        """Of the rows whose accuracy is known."""
        return [
            Point(row.name, row.median_ms, row.accuracy, row.interval) for row in self.rows if row.accuracy is not None
        ]


def head(bench: Bench) -> list[str]:
    names = ["", "median ms", "p10", "p90", "p99", "images/s", "times the first", "memory", "file", "accuracy"]
    return [name for name, kept in zip(names, shown(bench), strict=True) if kept]


def shown(bench: Bench) -> list[bool]:
    """Which columns have anything to say."""
    rows = bench.rows
    spread = any(row.p90_ms is not None for row in rows)
    return [
        True, True, spread, spread, spread, bench.mode != "latency" or any(row.batch > 1 for row in rows),
        bool(bench.pairs), any(row.peak_bytes for row in rows), any(row.size_bytes for row in rows),
        any(row.accuracy is not None for row in rows),
    ]  # fmt: skip


def cells(bench: Bench, row: Row) -> list[str]:
    found = [
        row.name, *(ms(value) for value in (row.median_ms, row.p10_ms, row.p90_ms, row.p99_ms)),
        f"{row.images_per_second:,.1f}", bench.against_first(row), megabytes(row.peak_bytes), megabytes(row.size_bytes),
        "" if row.accuracy is None else f"{100 * row.accuracy:.1f} %",
    ]  # fmt: skip
    return [cell for cell, kept in zip(found, shown(bench), strict=True) if kept]


def ms(value: float | None) -> str:
    """Three figures, as far as they mean anything."""
    if value is None:
        return ""
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def megabytes(count: int | None) -> str:
    return "" if not count else f"{count / 1e6:.1f} MB" if count < 1e8 else f"{count / 1e6:,.0f} MB"


def columns(first: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Aligned: names to the left, figures to the right."""
    wide = [max(map(len, column)) for column in zip(first, *rows, strict=True)]
    return [
        "  ".join([row[0].ljust(wide[0]), *(cell.rjust(w) for cell, w in zip(row[1:], wide[1:], strict=True))]).rstrip()
        for row in (first, *rows)
    ]
