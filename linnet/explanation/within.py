"""The budget: what was looked at, what was tried in the end, and why; from a run's candidates.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .charts import escaped
from .folder import RunFolder
from .section import Missing, Values
from .text import finite, inert, milliseconds, number, percent, shortened

WIDE, HIGH, LEFT, RIGHT, TOP, BOTTOM = 400, 236, 44, 20, 12, 38
UNITS = (("latency_ms", "ms"), ("size_mb", "MB"), ("memory_mb", "MB of memory"))
MOST = 60  # rows


def budget(run: RunFolder) -> Values:
    """The table of options, those that fit first, the drawing of those with an accuracy, and the tries."""
    found = run.candidates
    if not found:
        raise Missing("No budget was given.")
    options = [one for one in found["options"] if isinstance(one, dict)]
    tried = [one for one in found.get("tried", []) if isinstance(one, dict)]
    last = tried[-1] if tried and not tried[-1].get("reason") else {}
    mine = (found.get("winner"), last.get("image"), last.get("way"))
    order = sorted(options, key=lambda one: (one.get("verdict") != "fits", -(one.get("accuracy") or 0)))
    limits = [f"{number(found['budget'][name])} {unit}" for name, unit in UNITS if finite(found["budget"].get(name))]
    return {
        "limits": ", ".join(limits),
        "why": shortened(str(found.get("why", "")), 300),
        "rows": [row(one, chosen=place(one) == mine) for one in order[:MOST]],
        "tried": [attempt(one) for one in tried],
        "drawing": drawing(options, mine),
    }


def place(one: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    return one.get("arch"), one.get("image"), one.get("way")


def row(one: Mapping[str, Any], *, chosen: bool) -> tuple[str, ...]:
    share, size = one.get("accuracy"), one.get("size_bytes")
    return (
        shortened(inert(one.get("arch")), 60) + " \N{BLACK STAR}" * chosen,
        number(one.get("image")),
        shortened(inert(one.get("way")), 30),
        *(milliseconds(one[name]) if finite(one.get(name)) else "" for name in ("predicted_ms", "measured_ms")),
        f"{size / 1e6:.1f}" if size is not None and finite(size) else "",
        percent(share) if finite(share) else "",
        shortened(inert(one.get("verdict")), 60),
    )


def attempt(one: Mapping[str, Any]) -> str:
    ms, share = one.get("again_ms"), one.get("accuracy")
    said = [f"{number(one.get('image'))} px on {shortened(inert(one.get('way')), 30)}"]
    said += [f"{percent(share)} on the validation photos"] if finite(share) else []
    said += [f"{milliseconds(ms)} in a new process"] if finite(ms) else []
    return f"{', '.join(said)}: {shortened(inert(one.get('reason')), 200) or 'within the budget, so it was taken'}"


def drawing(options: list[dict[str, Any]], mine: tuple[Any, Any, Any]) -> Any:
    """Accuracy after the short training against milliseconds, a dot for each option that has both; "" for fewer than two."""
    from markupsafe import Markup

    points = [one for one in options if finite(one.get("accuracy")) and finite(one.get("measured_ms"))]
    if len(points) < 2:
        return ""
    slowest = max(one["measured_ms"] for one in points) * 1.1
    shares = [one["accuracy"] for one in points]
    low, high = max(0.0, min(shares) - 0.02), min(1.0, max(shares) + 0.02)
    parts = []
    for one in points:
        x = LEFT + one["measured_ms"] / slowest * (WIDE - LEFT - RIGHT)
        y = HIGH - BOTTOM - (one["accuracy"] - low) / max(high - low, 1e-9) * (HIGH - TOP - BOTTOM)
        told = escaped(f"{one.get('arch')} {one.get('image')} px, {one.get('way')}: {one['measured_ms']:.2f} ms")
        kind, radius = ("validation", 6) if place(one) == mine else ("plain", 3.5)
        parts.append(
            f'<circle class="dot {kind}" cx="{x:.1f}" cy="{y:.1f}" r="{radius}"><title>{told}</title></circle>'
        )
    floor = HIGH - BOTTOM
    axes = (
        f'<line class="axis" x1="{LEFT}" x2="{WIDE - RIGHT}" y1="{floor}" y2="{floor}"/>'
        f'<text x="{LEFT}" y="{floor + 16}">0</text>'
        f'<text x="{WIDE - RIGHT}" y="{floor + 16}" text-anchor="end">{slowest:.3g} ms</text>'
        f'<text x="{LEFT - 6}" y="{floor}" text-anchor="end">{100 * low:.0f} %</text>'
        f'<text x="{LEFT - 6}" y="{TOP + 8}" text-anchor="end">{100 * high:.0f} %</text>'
    )
    return Markup(
        f'<svg class="chart" viewBox="0 0 {WIDE} {HIGH}" role="img" aria-label="accuracy against latency">{axes}{"".join(parts)}</svg>'
    )
