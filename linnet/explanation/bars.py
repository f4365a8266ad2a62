"""Histograms and bars as inline SVG, in the manner of charts.py: colours come from the page's style sheet."""

from __future__ import annotations

from collections.abc import Sequence

from .charts import bar, escaped, ticks
from .text import finite, number, plain

__all__ = ["bar", "histogram"]

WIDE, HIGH = 320, 170
LEFT, RIGHT, TOP, BOTTOM = 44, 14, 10, 24
BINS = 24  # at most


def histogram(
    title: str,
    values: Sequence[float],
    *,
    mark: float | None = None,
    low: float | None = None,
    high: float | None = None,
    whole: bool = False,
) -> str:
    """How many of the values lie in each of up to BINS intervals of equal width; empty without finite values.

    Args:
        mark: a value to which an upright line is drawn, where it lies among the others.
        low: the axis begins here, else at a round number; `high` where it ends. What lies beyond counts in the last bin.
        whole: the values are whole numbers, and so are the bounds of the intervals.
    """
    kept = sorted(float(value) for value in values if finite(value))
    if not kept:
        return ""
    # Few very large values must not press all others into one bin: the axis ends where 99 % do, and says so.
    top = kept[min(len(kept) - 1, int(len(kept) * 0.99))]
    marks = ticks(kept[0] if low is None else low, max(top, kept[0]) if high is None else high, 5)
    begin, end = marks[0] if low is None else low, marks[-1] if high is None else high
    n = BINS if not whole else max(1, min(BINS, round(end - begin)))
    counts = [0] * n
    for value in kept:
        counts[max(0, min(n - 1, int((value - begin) / (end - begin) * n)))] += 1
    levels = [tick for tick in ticks(0, max(counts), 3) if tick.is_integer()]
    if levels[-1] < max(counts):  # 0, 2.5, 5, 7.5: of photos there are no halves, and no bar may leave the drawing
        levels.append(2 * levels[-1])
    right, floor = WIDE - RIGHT, HIGH - BOTTOM

    def across(x: float) -> float:
        return round(LEFT + (x - begin) / (end - begin) * (right - LEFT), 1)

    def up(y: float) -> float:
        return round(floor - y / levels[-1] * (floor - TOP), 1)

    parts = list[str]()
    for y in levels:
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{up(y)}" y2="{up(y)}"/>')
        parts.append(f'<text class="tick" x="{LEFT - 7}" y="{up(y) + 4}" text-anchor="end">{number(y)}</text>')
    step = (end - begin) / n
    for i, count in enumerate(counts):
        if not count:
            continue
        x, next_x = across(begin + i * step), across(begin + (i + 1) * step)
        beyond = " and more" if i == n - 1 and kept[-1] > end else ""
        said = f"{plain(begin + i * step)} to {plain(begin + (i + 1) * step)}{beyond}: {count:,}"
        parts.append(
            f'<rect class="column" x="{x + 0.5:g}" width="{max(0.5, next_x - x - 1):g}" y="{up(count)}"'
            f' height="{round(floor - up(count), 1):g}"><title>{escaped(said)}</title></rect>'
        )
    for x in marks:
        if begin <= x <= end:
            parts.append(f'<text class="tick" x="{across(x)}" y="{floor + 17}" text-anchor="middle">{plain(x)}</text>')
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{right}" y1="{floor}" y2="{floor}"/>')
    if mark is not None and begin < mark < end:
        x = across(mark)
        parts.append(
            f'<line class="change" x1="{x}" x2="{x}" y1="{TOP}" y2="{floor}"><title>{plain(mark)}</title></line>'
        )
    drawing = "".join(parts)
    return f'<svg class="chart" viewBox="0 0 {WIDE} {HIGH}" role="img" aria-label="{escaped(title)}">{drawing}</svg>'
