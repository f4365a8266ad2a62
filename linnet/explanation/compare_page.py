"""The page of a comparison."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from . import charts
from .page import render_page
from .section import Values
from .text import duration, interval, milliseconds, number, percent, shortened
from .thumbnail import thumbnail

if TYPE_CHECKING:
    from .compare import Comparison

PICTURES = 12
ROWS = 60  # classes shown; those with the most disagreements come first
KINDS = ("train", "validation")  # of the style sheet: A is blue, B is red


def render_comparison(found: Comparison, photos: Path) -> str:
    """HTML; `photos` is the folder that the disagreements' paths start from."""
    sides, p = (found.first, found.second), found.paired
    one_right = [d for d in found.disagreements if (d.first == d.label) != (d.second == d.label)]
    return render_page(
        "compare",
        sides=[
            (letter, shortened("/".join(Path(s.name).parts[-2:]), 80), s.arch)
            for letter, s in zip("AB", sides, strict=True)
        ],
        verdict=found.verdict,
        split=found.split,
        tiles=[
            (f"{letter}: {found.split} accuracy", percent(share), f"95\u00a0% interval {interval(ends)}")
            for letter, share, ends in zip("AB", found.accuracies, found.intervals, strict=True)
        ],
        counts=[number(n) for n in (p.n, p.both, p.only_first, p.only_second, p.neither)],
        figures=[list(row) for row in found.figures()],
        latencies=latencies(found),
        drawings=drawings(found),
        classes=[
            [shortened(c.name, 48), number(c.n), number(c.only_first), number(c.only_second), number(c.neither)]
            for c in found.classes[:ROWS]
        ],
        more_classes=max(0, len(found.classes) - ROWS),
        cards=[card(d.path, d.label, d.first, d.second, photos) for d in spread(one_right)],
        n_disagreements=number(len(found.disagreements)),
        notes=[shortened(note, 300) for note in found.notes],
    )


def share(y: float) -> str:
    return percent(y, 0 if abs(y * 100 - round(y * 100)) < 1e-6 else 1)


def spread(disagreements: list) -> list:
    """At most PICTURES of them, as many that only A has right as that only B has, where there are so many."""
    a = [d for d in disagreements if d.first == d.label]
    b = [d for d in disagreements if d.second == d.label]
    half = PICTURES // 2
    a, b = a[: max(half, PICTURES - len(b))], b[: max(half, PICTURES - len(a))]
    return [*a, *b]


def card(path: str, label: str, first: str, second: str, photos: Path) -> Values:
    uri, why_not = thumbnail(photos / path)
    return {
        "uri": uri,
        "why_not": why_not,
        "label": shortened(label, 40),
        "first": shortened(first, 40),
        "second": shortened(second, 40),
        "right": "A" if first == label else "B",
        "path": shortened(path, 40),
    }


def latencies(found: Comparison) -> list[str]:
    """Where each latency was measured: figures of two machines or sizes do not compare."""
    return [
        shortened(
            f"{letter}: {milliseconds(at.median_ms)} by {at.runtime}"
            + (f", {at.image} px" if at.image else "")
            + (f", {at.threads} thread{'s' * (at.threads != 1)}" if at.threads else "")
            + (f", on {at.processor}" if at.processor else ""),
            200,
        )
        for letter, side in zip("AB", (found.first, found.second), strict=True)
        if (at := side.latency)
    ]


def drawings(found: Comparison) -> list[tuple[str, Markup]]:
    """Both runs' curves in one chart: over epochs, and over the minutes of training that they took."""
    sides = list(zip("AB", KINDS, (found.first, found.second), strict=True))
    drawn = [
        (
            "Validation accuracy over epochs",
            charts.line_chart(
                "Validation accuracy over epochs",
                [
                    charts.Line(letter, charts.thinned((e, y) for e, _, y in side.curve), kind, marks=True)
                    for letter, kind, side in sides
                ],
                y_format=share,
                high=1.0,
            ),
        ),
        (
            "Validation accuracy over time",
            charts.line_chart(
                "Validation accuracy over minutes of training",
                [
                    charts.Line(letter, charts.thinned((m, y) for _, m, y in side.curve), kind)
                    for letter, kind, side in sides
                ],
                x_label=f"minutes (A took {duration(found.first.train_seconds)}, B {duration(found.second.train_seconds)})",
                y_format=share,
                high=1.0,
            ),
        ),
        (
            "Training loss",
            charts.line_chart(
                "Training loss over epochs",
                [charts.Line(letter, charts.thinned(side.losses), kind) for letter, kind, side in sides],
                low=0,
            ),
        ),
    ]
    return [(name, Markup(svg)) for name, svg in drawn if svg]
