"""Accuracy against latency: the Pareto front, and its drawing as an SVG file that stands by itself."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDE, HIGH = 760, 440
LEFT, RIGHT, TOP, BOTTOM = 62, 24, 46, 52
STYLE = """
svg{color-scheme:light dark;background:#fff;font:13px system-ui,sans-serif}
text{fill:#20252b}.quiet{fill:#656d76}.grid{stroke:#e4e1db}.axis{stroke:#656d76}.front{fill:none;stroke:#2b6592;stroke-width:2}
.whisker{stroke:#656d76;stroke-opacity:.5}.dot{fill:#656d76}.dot.best{fill:#2b6592}.best{font-weight:600}.name{paint-order:stroke;stroke:#fff;stroke-width:3px}
@media(prefers-color-scheme:dark){svg{background:#15181c}text{fill:#e5e3de}.quiet{fill:#99a1aa}.grid{stroke:#2f353c}
.axis,.whisker{stroke:#99a1aa}.front{stroke:#85b7df}.dot{fill:#99a1aa}.dot.best{fill:#85b7df}.name{stroke:#15181c}}
""".replace("\n", "")


@dataclass(frozen=True)
class Point:
    """A model on a runtime: median milliseconds, and accuracy as a share with the ends of its interval."""

    name: str
    latency_ms: float
    accuracy: float
    interval: tuple[float, float] | None = None


def front(points: Sequence[Point]) -> tuple[Point, ...]:
    """Those that no other beats: each is more accurate than all that are faster. The fastest first."""
    kept: list[Point] = []
    for point in sorted(points, key=lambda p: (p.latency_ms, -p.accuracy)):
        if not kept or point.accuracy > kept[-1].accuracy:
            kept.append(point)
    return tuple(kept)


def pareto_svg(points: Sequence[Point], title: str) -> str:
    """A scatter with the front as stairs; latency on a logarithmic axis, where distances are ratios.

    Raises: ValueError without points.
    """
    best = front(points)
    lows, highs = zip(*(p.interval or (p.accuracy, p.accuracy) for p in points), strict=True)
    y_ticks = round_steps(100 * min(lows), 100 * max(highs))
    x_ticks = latency_ticks(min(p.latency_ms for p in points), max(p.latency_ms for p in points))
    right, floor = WIDE - RIGHT, HIGH - BOTTOM

    def across(ms: float) -> float:
        share = math.log(ms / x_ticks[0]) / math.log(x_ticks[-1] / x_ticks[0])
        return round(LEFT + share * (right - LEFT), 1)

    def up(accuracy: float) -> float:
        share = (100 * accuracy - y_ticks[0]) / (y_ticks[-1] - y_ticks[0])
        return round(floor - share * (floor - TOP), 1)

    parts = [f'<text class="best" x="{LEFT}" y="24">{html.escape(title)}</text>']
    for y in y_ticks:
        at = up(y / 100)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{at}" y2="{at}"/>')
        parts.append(f'<text class="quiet" x="{LEFT - 8}" y="{at + 4}" text-anchor="end">{y:g}&#160;%</text>')
    for x in x_ticks:
        parts.append(f'<line class="grid" x1="{across(x)}" x2="{across(x)}" y1="{TOP}" y2="{floor}"/>')
        parts.append(f'<text class="quiet" x="{across(x)}" y="{floor + 18}" text-anchor="middle">{x:g}</text>')
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{right}" y1="{floor}" y2="{floor}"/>')
    parts.append(
        f'<text class="quiet" x="{(LEFT + right) / 2}" y="{HIGH - 10}" text-anchor="middle">median latency, ms</text>'
    )
    parts.append(f'<path class="front" d="{stairs([(across(p.latency_ms), up(p.accuracy)) for p in best])}"/>')
    for p in points:
        parts.append(drawn(p, across(p.latency_ms), up(p.accuracy), p in best))
        if p.interval:
            low, high = map(up, p.interval)
            x = across(p.latency_ms)
            parts.append(f'<line class="whisker" x1="{x}" x2="{x}" y1="{low}" y2="{high}"/>')
    parts += labels([(across(p.latency_ms), up(p.accuracy), p.name, p in best) for p in points])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE} {HIGH}" width="{WIDE}" height="{HIGH}" role="img">'
        f"<title>{html.escape(title)}</title><style>{STYLE}</style>{''.join(parts)}</svg>\n"
    )


def drawn(point: Point, x: float, y: float, best: bool) -> str:
    told = f"{point.name}: {point.latency_ms:.3g} ms, {100 * point.accuracy:.1f} %"
    kind = "dot best" if best else "dot"
    return f'<circle class="{kind}" cx="{x}" cy="{y}" r="4.5"><title>{html.escape(told)}</title></circle>'


def stairs(corners: Sequence[tuple[float, float]]) -> str:
    """A path that holds a front's accuracy until the next point is reached."""
    (x, y), *rest = corners
    return f"M{x} {y}" + "".join(f"H{x}V{y}" for x, y in rest)


def labels(named: Sequence[tuple[float, float, str, bool]]) -> list[str]:
    """Each name beside its point, in the first place where it covers no other name and no other point."""
    taken = [(x - 6, x + 6, y - 6, y + 6) for x, y, _, _ in named]
    parts = []
    for x, y, name, best in sorted(named):
        wide = 7.4 * len(name)
        sides = [(x + 9, y + 4), (x - 9 - wide, y + 4)]
        below = [
            (start, y + 4 + step) for step in (-15, 15, -30, 30, 45, 60, 75, 90) for start in (x + 9, x - 9 - wide)
        ]
        free = [
            (start, line)
            for start, line in sides + below
            if start > LEFT and start + wide < WIDE - 4 and TOP < line < HIGH - BOTTOM
            and not any(start < right and left < start + wide and line - 11 < low and high < line + 3 for left, right, high, low in taken)
        ]  # fmt: skip
        start, line = free[0] if free else sides[0]
        taken.append((start, start + wide, line - 11, line + 3))
        kind = "name best" if best else "name"
        parts.append(
            f'<text class="{kind}" x="{start:.1f}" y="{line:.1f}" textLength="{wide:.0f}">{html.escape(name)}</text>'
        )
    return parts


def round_steps(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers that cover low to high, two or more.

    >>> round_steps(88.2, 91.4)
    [88.0, 89.0, 90.0, 91.0, 92.0]
    """
    raw = max(high - low, 1.0) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw * 0.999)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [round(i * step, 6) for i in range(first, max(last, first + 1) + 1)]


def latency_ticks(low: float, high: float) -> list[float]:
    """Round numbers on a logarithmic axis that enclose low to high with some room, two or more.

    >>> latency_ticks(1.3, 9)
    [1.0, 1.5, 2.0, 3.0, 5.0, 7.0, 10.0]
    """
    powers = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
    for mantissas in ((1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1,)):
        steps = [float(f"{m * 10.0**p:.3g}") for p in powers for m in mantissas]
        first = max(i for i, step in enumerate(steps) if step <= low / 1.04)
        last = min(i for i, step in enumerate(steps) if step >= high * 1.04)
        if last - first < 10:
            break
    return steps[first : last + 1]
