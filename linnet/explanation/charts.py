"""Charts as inline SVG: lines over epochs, a calibration diagram, the map of a large confusion matrix, small bars.

Colours come from the page's style sheet by class names, so that one drawing serves light and dark. Every text goes through
`escaped`. No style attributes: the report's content policy forbids them.
"""

from __future__ import annotations

import html
import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from .text import finite, inert, number, percent

Point = tuple[float, float]

WIDE, HIGH = 400, 236  # view box of a chart; text stays readable when a phone shows it 350 pixels wide
LEFT, RIGHT, TOP, BOTTOM = 44, 76, 12, 38
MOST_POINTS = 240  # of a line; more are averaged: nobody sees them, and the file grows
MOST_MARKS = 60


def escaped(value: object) -> str:
    return html.escape(inert(value), quote=True)


@dataclass(frozen=True)
class Line:
    """One line of a chart. `kind` is a class of the style sheet: train, validation or plain.

    `band` holds (x, low, high); `marks` draws a dot with its own tooltip at every point; `stairs` keeps a value until the
    next one; `name` and the last value are written at the line's end.
    """

    name: str
    points: tuple[Point, ...]
    kind: str = "plain"
    band: tuple[tuple[float, float, float], ...] = ()
    marks: bool = False
    stairs: bool = False


def ticks(low: float, high: float, about: int = 4) -> list[float]:
    """Round numbers that cover low to high: steps of 1, 2, 2.5 or 5 times a power of ten.

    >>> ticks(0, 1)
    [0.0, 0.25, 0.5, 0.75, 1.0]
    """
    largest = max(abs(low), abs(high))
    if high - low <= largest * 1e-9 or largest < 1e-30:
        room = largest * 0.1 if largest >= 1e-30 else 1.0
        low, high = low - room, high + room
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    places = 2 - math.floor(math.log10(step))  # i * step would be 0.30000000000000004
    return [round(i * step, places) for i in range(first, last + 1)]


def thinned(points: Iterable[Point], most: int = MOST_POINTS) -> tuple[Point, ...]:
    """At most `most` points, each the mean of its neighbours; what is not finite is left out."""
    kept = [(x, y) for x, y in points if finite(x) and finite(y)]
    if len(kept) <= most:
        return tuple(kept)
    edges = [round(i * len(kept) / most) for i in range(most + 1)]
    groups = [kept[a:b] for a, b in itertools.pairwise(edges)]
    return tuple((sum(x for x, _ in g) / len(g), sum(y for _, y in g) / len(g)) for g in groups)


def line_chart(
    title: str,
    lines: Sequence[Line],
    *,
    x_label: str = "epoch",
    y_format: Callable[[float], str] = number,
    low: float | None = None,
    high: float | None = None,
    until: float | None = None,
    changes: Sequence[tuple[float, str]] = (),
) -> str:
    """Lines over one axis; an empty text when there is no finite point to draw.

    Args:
        low: The y axis goes down to this at least; `high` is where it ends at most.
        until: The x axis goes on to this at least, so that charts beside each other agree.
        changes: (x, what changed there), drawn as thin upright lines.
    """
    lines = [line for line in (_cleaned(line) for line in lines) if line.points]
    if not lines:
        return ""
    values = [y for line in lines for _, y in line.points] + [
        y for line in lines for _, *ends in line.band for y in ends
    ]
    if low is not None:
        values.append(low)
    y_ticks = ticks(min(values), max(values))
    if high is not None:
        y_ticks = [y for y in y_ticks if y <= high + 1e-12] if max(values) <= high else y_ticks
    x_all = [x for line in lines for x, _ in line.points]
    x_low, x_high = min([0.0, *x_all]), max([1.0, until or 1.0, *x_all])
    x_ticks = [x for x in ticks(x_low, x_high, 5) if x <= x_high and float(x).is_integer()]
    right, floor = WIDE - RIGHT, HIGH - BOTTOM

    def across(x: float) -> float:
        return round(LEFT + (x - x_low) / (x_high - x_low) * (right - LEFT), 1)

    def up(y: float) -> float:
        return round(floor - (y - y_ticks[0]) / (y_ticks[-1] - y_ticks[0]) * (floor - TOP), 1)

    parts = list[str]()
    for y in y_ticks:
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{up(y)}" y2="{up(y)}"/>')
        parts.append(
            f'<text class="tick" x="{LEFT - 7}" y="{up(y) + 4}" text-anchor="end">{escaped(y_format(y))}</text>'
        )
    for x in x_ticks:
        parts.append(f'<line class="tickmark" x1="{across(x)}" x2="{across(x)}" y1="{floor}" y2="{floor + 4}"/>')
        parts.append(f'<text class="tick" x="{across(x)}" y="{floor + 17}" text-anchor="middle">{number(x)}</text>')
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{right}" y1="{floor}" y2="{floor}"/>')
    middle = (LEFT + right) / 2
    parts.append(f'<text class="label" x="{middle}" y="{HIGH - 4}" text-anchor="middle">{escaped(x_label)}</text>')
    for x, what in changes:
        if x_low < x < x_high:
            parts.append(
                f'<line class="change" x1="{across(x)}" x2="{across(x)}" y1="{TOP}" y2="{floor}">'
                f"<title>{escaped(what)}</title></line>"
            )
    for line in lines:
        parts += _drawn(line, across, up, y_format)
    parts += _end_labels(lines, up, right, y_format)
    return _svg(parts, WIDE, HIGH, "chart", title)


def calibration_chart(bins: Sequence[tuple[float, float, float, float, int]]) -> str:
    """How often the model is right at each confidence.

    Args:
        bins: (mean confidence, accuracy, low end, high end of its interval, n) of every bin that is not empty.
    """
    if not bins:
        return ""
    side, left, top, floor = 236, 48, 10, 246

    def across(x: float) -> float:
        return round(left + x * side, 1)

    def up(y: float) -> float:
        return round(floor - y * side, 1)

    parts = list[str]()
    for share in (0, 0.25, 0.5, 0.75, 1):
        parts.append(f'<line class="grid" x1="{left}" x2="{left + side}" y1="{up(share)}" y2="{up(share)}"/>')
        label = percent(share, 0)
        parts.append(f'<text class="tick" x="{left - 7}" y="{up(share) + 4}" text-anchor="end">{label}</text>')
        parts.append(f'<text class="tick" x="{across(share)}" y="{floor + 17}" text-anchor="middle">{label}</text>')
    parts.append(f'<line class="axis" x1="{left}" x2="{left + side}" y1="{floor}" y2="{floor}"/>')
    parts.append(
        f'<line class="ideal" x1="{across(0)}" y1="{up(0)}" x2="{across(1)}" y2="{up(1)}">'
        "<title>A perfectly calibrated model</title></line>"
    )
    most = max(n for *_, n in bins)
    for confidence, accuracy, low, high, n in bins:
        x = across(confidence)
        told = f"{n:,} photos: {percent(confidence)} sure on average, right in {percent(accuracy)}"
        parts.append(f'<line class="whisker" x1="{x}" x2="{x}" y1="{up(low)}" y2="{up(high)}"/>')
        radius = 3 + 5 * math.sqrt(n / most)
        parts.append(
            f'<circle class="dot validation" cx="{x}" cy="{up(accuracy)}" r="{radius:.1f}">'
            f"<title>{escaped(told)}</title></circle>"
        )
    parts.append(
        f'<text class="label" x="{left + side / 2}" y="{floor + 36}" text-anchor="middle">confidence of the model</text>'
    )
    parts.append(
        f'<text class="label" transform="rotate(-90)" x="{-(top + side / 2)}" y="11" text-anchor="middle">'
        "share that is right</text>"
    )
    return _svg(parts, left + side + 16, floor + 42, "chart square", "How often the model is right, by how sure it is")


def heat_map(confusion: Sequence[Sequence[int]]) -> str:
    """A confusion matrix without names, for many classes: one square per cell that is not empty."""
    n = len(confusion)
    levels: dict[str, list[str]] = {}
    for i, row in enumerate(confusion):
        total = sum(row)
        for j, count in enumerate(row):
            if count > 0:
                kind = f"{'right' if i == j else 'wrong'} f{level(count / total)}"
                levels.setdefault(kind, []).append(f"M{j} {i}h1v1h-1z")
    parts = [f'<rect class="sheet" width="{n}" height="{n}"/>']
    parts += [f'<path class="{kind}" d="{"".join(cells)}"/>' for kind, cells in sorted(levels.items())]
    return _svg(parts, n, n, "map", "Confusion matrix: given class downwards, predicted class across")


def level(share: float) -> int:
    """A share as one of 21 steps of the heat scale; only nothing is step 0."""
    return min(20, max(1, round(share * 20))) if share > 0 else 0


def bar(share: float) -> str:
    """A thin bar of `share` of its cell."""
    wide = round(100 * min(max(share, 0.0), 1.0), 1) if finite(share) else 0
    return (
        '<svg class="bar" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="rail" width="100" height="6"/><rect class="full" width="{wide}" height="6"/></svg>'
    )


def _cleaned(line: Line) -> Line:
    points = tuple((x, y) for x, y in line.points if finite(x) and finite(y))
    band = tuple(b for b in line.band if all(finite(v) for v in b))
    return Line(line.name, points, line.kind, band, line.marks and len(points) <= MOST_MARKS, line.stairs)


def _drawn(
    line: Line, across: Callable[[float], float], up: Callable[[float], float], y_format: Callable[[float], str]
) -> list[str]:
    parts = []
    if len(line.band) > 1:
        edge = [(across(x), up(high)) for x, _, high in line.band]
        edge += [(across(x), up(low)) for x, low, _ in reversed(line.band)]
        parts.append(f'<polygon class="band {line.kind}" points="{_path(edge)}"/>')
    seen = [(across(x), up(y)) for x, y in line.points]
    if line.stairs:
        seen = [seen[0], *(p for a, b in itertools.pairwise(seen) for p in ((b[0], a[1]), b))]
    if len(seen) > 1:
        parts.append(
            f'<polyline class="line {line.kind}" points="{_path(seen)}"><title>{escaped(line.name)}</title></polyline>'
        )
    if line.marks or len(seen) == 1:
        parts += [
            f'<circle class="dot {line.kind}" cx="{across(x)}" cy="{up(y)}" r="2.6">'
            f"<title>{escaped(f'{line.name}, epoch {number(x)}: {y_format(y)}')}</title></circle>"
            for x, y in line.points
        ]
    return parts


def _end_labels(
    lines: Sequence[Line], up: Callable[[float], float], right: float, y_format: Callable[[float], str]
) -> list[str]:
    """Value and name at each line's end, pushed apart where they would overlap."""
    apart, parts, last = 27.0, [], -math.inf
    ends = sorted(lines, key=lambda line: up(line.points[-1][1]))
    for line in ends:
        y = max(up(line.points[-1][1]), last + apart, TOP + 4)
        last = y
        value = escaped(y_format(line.points[-1][1]))
        parts.append(f'<text class="end {line.kind}" x="{right + 8}" y="{y:.1f}">{value}</text>')
        parts.append(f'<text class="name {line.kind}" x="{right + 8}" y="{y + 12:.1f}">{escaped(line.name)}</text>')
    return parts


def _path(points: Iterable[Point]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in points)


def _svg(parts: Iterable[str], wide: float, high: float, kind: str, title: str) -> str:
    drawing = "".join(parts)
    return (
        f'<svg class="{kind}" viewBox="0 0 {wide:g} {high:g}" role="img" aria-label="{escaped(title)}">{drawing}</svg>'
    )
