"""Writes models.md and its two plots: every network with its counts, what its paper reports, and every set of weights.

    python docs/reference/make_models.py        # or: make docs; about a minute

Counts are Linnet's own (tests hold them against timm, torchvision and the papers); accuracies are what papers, timm and
torchvision report, each in a series of its own, since a paper's training and a later re-training cannot be compared.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from html import escape
from pathlib import Path

from linnet.arch.names import FAMILIES, find
from linnet.cost.count import count
from linnet.weights.pretrained import catalogue

HERE = Path(__file__).parent
SERIES = {  # label -> colour, of a palette that colour-blind readers can tell apart
    "paper, ImageNet-1k": "#0072b2",
    "paper, larger pre-training": "#56b4e9",
    "torchvision, ImageNet-1k": "#e69f00",
    "timm, ImageNet-1k": "#009e73",
    "timm, larger pre-training": "#cc79a7",
}
LARGER = ("in21k", "in22k", "in12k", "jft", "swag", "laion")
WIDE, HIGH, LEFT, BELOW, ABOVE, RIGHT = 900, 560, 56, 48, 20, 16
LOW, TOP = 55, 90  # per cent


@dataclass(frozen=True)
class Point:
    series: str
    label: str
    top1: float
    madds: int
    params: int


def points() -> list[Point]:
    found: list[Point] = []
    for row in json.loads((HERE / "published.json").read_text(encoding="utf-8"))["networks"]:
        total = count(find(row["name"]), row["image"]).total
        label = f"{row['name']} at {row['image']} px: {row['top1']} % ({row['source']})"
        series = "paper, larger pre-training" if row.get("larger") else "paper, ImageNet-1k"
        found.append(Point(series, label, row["top1"], total.madds, total.params))
    for key, weights in catalogue().items():
        if not weights.metrics:
            continue
        total = count(find(key.partition(".")[0]), weights.preprocess.image).total
        tag = key.partition(".")[2].lower()
        who = "torchvision" if weights.dialect == "torchvision" else "timm"
        series = f"{who}, ImageNet-1k" if not any(word in tag for word in LARGER) else "timm, larger pre-training"
        label = f"{key} at {weights.preprocess.image} px: {weights.metrics['top1']} % ({weights.metrics['source']})"
        found.append(Point(series, label, weights.metrics["top1"], total.madds, total.params))
    return found


def plot(found: list[Point], what: str, title: str) -> str:
    """Top-1 against `what` on a logarithmic axis; hovering over a point names it."""
    values = [getattr(p, what) for p in found]
    low, high = math.log10(min(values)) - 0.05, math.log10(max(values)) + 0.05

    def x(value: float) -> float:
        return LEFT + (WIDE - LEFT - RIGHT) * (math.log10(value) - low) / (high - low)

    def y(top1: float) -> float:
        return HIGH - BELOW - (HIGH - BELOW - ABOVE) * (max(top1, LOW) - LOW) / (TOP - LOW)

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE} {HIGH}" font-family="sans-serif" font-size="12">',
        f"<title>{title}</title>",
        f'<rect width="{WIDE}" height="{HIGH}" fill="#ffffff"/>',
    ]
    for top1 in range(LOW, TOP + 1, 5):
        lines.append(f'<path d="M{LEFT} {y(top1):.1f}H{WIDE - RIGHT}" stroke="#e3e3e3"/>')
        lines.append(f'<text x="{LEFT - 8}" y="{y(top1) + 4:.1f}" text-anchor="end" fill="#444">{top1}</text>')
    for power in range(math.floor(low), math.ceil(high) + 1):
        for step in (1, 2, 5):
            value = step * 10**power
            if low <= math.log10(value) <= high:
                lines.append(f'<path d="M{x(value):.1f} {ABOVE}V{HIGH - BELOW}" stroke="#eeeeee"/>')
                text = f"{value / 1e9:g} G" if value >= 1e9 else f"{value / 1e6:g} M"
                lines.append(
                    f'<text x="{x(value):.1f}" y="{HIGH - BELOW + 16}" text-anchor="middle" fill="#444">{text}</text>'
                )
    lines.append(f'<text x="{WIDE / 2}" y="{HIGH - 10}" text-anchor="middle" fill="#222">{title}</text>')
    for p in found:
        lines.append(
            f'<circle cx="{x(getattr(p, what)):.1f}" cy="{y(p.top1):.1f}" r="4" fill="{SERIES[p.series]}" fill-opacity="0.75">'
            f"<title>{escape(p.label)}</title></circle>"
        )
    for i, (series, colour) in enumerate(SERIES.items()):
        at = HIGH - BELOW - 94 + 18 * i
        lines.append(f'<circle cx="{WIDE - 216}" cy="{at}" r="5" fill="{colour}"/>')
        lines.append(f'<text x="{WIDE - 204}" y="{at + 4}" fill="#222">{series}</text>')
    return "\n".join([*lines, "</svg>", ""])


def page() -> str:
    published = {}
    for row in json.loads((HERE / "published.json").read_text(encoding="utf-8"))["networks"]:
        published.setdefault(row["name"].removeprefix("tf_"), []).append(row)
    lines = [
        "# The networks",
        "",
        "Written by `make docs` (docs/reference/make_models.py). Parameters are those that are trained; MAdds are the",
        "multiply-adds of convolutions and linear layers for one image of the given side, attention's products apart.",
        "Top-1 is what the paper reports on ImageNet at its own image size; nothing here was trained by us. Weights are",
        "the sets that `pretrained=True` knows (`linnet archs --pretrained` lists them with accuracy and licence).",
        "",
        "![top-1 against multiply-adds](models-madds.svg)",
        "",
        "![top-1 against parameters](models-params.svg)",
        "",
        "One point is one set of weights, or one figure of a paper; hover over it for its name, image size and source.",
        "",
    ]
    tf = 0
    for family in FAMILIES:
        about = (family.__doc__ or "").split("\n")[0].rstrip(".")
        lines += [f"## {about}", "", "| network | image | params | MAdds | attention | paper's top-1 | source | weights |",
                  "|---|---:|---:|---:|---:|---|---|---:|"]  # fmt: skip
        for arch in family.ARCHS:
            if arch.name.startswith("tf_"):
                tf += 1
                continue
            channels = 1 if arch.name == "lenet5" else 3
            total = count(arch, channels=channels).total
            top1 = ", ".join(f"{row['top1']} at {row['image']}" for row in published.get(arch.name, ()))
            sets = sum(key.partition(".")[0].removeprefix("tf_") == arch.name for key in catalogue())
            cells = (f"`{arch.name}`", arch.image, f"{total.params:,}", f"{total.madds:,}",
                     f"{total.attention_madds:,}" if total.attention_madds else "", top1, arch.source, sets or "")  # fmt: skip
            lines.append("| " + " | ".join(map(str, cells)) + " |")
        lines.append("")
    lines.append(
        f"Beside these there are {tf} networks with the prefix `tf_`: the same tables with TensorFlow's padding and eps."
    )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    found = points()
    (HERE / "models-madds.svg").write_text(
        plot(found, "madds", "multiply-adds of one image; top-1 on ImageNet, per cent"), encoding="utf-8"
    )
    (HERE / "models-params.svg").write_text(
        plot(found, "params", "parameters; top-1 on ImageNet, per cent"), encoding="utf-8"
    )
    (HERE / "models.md").write_text(page(), encoding="utf-8")
    print(f"{len(found)} points")
