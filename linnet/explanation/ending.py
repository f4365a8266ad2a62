"""What the end of a run says of its weights: what averaging them was worth, and which channels have died."""

from __future__ import annotations

from typing import Any

from .folder import RunFolder
from .headline import score
from .section import Missing, Values
from .text import finite, interval, number, percent


def average(run: RunFolder) -> Values:
    """Averaged against raw weights, both after the last epoch, on the validation photos."""
    raw = run.end.get("raw")
    last = run.epochs[-1].get("validation") if run.epochs else None
    if not isinstance(raw, dict) or not isinstance(last, dict) or not (finite(score(raw)) and finite(score(last))):
        raise Missing(
            "Not compared: raw weights are measured once, when a run ends that has an average and validation photos."
        )
    gain = 100 * (score(last) - score(raw))
    return {
        "several": "top1" not in last,
        "averaged": percent(score(last)),
        "averaged_interval": interval(last.get("interval")),
        "raw": percent(score(raw)),
        "raw_interval": interval(raw.get("interval")),
        "gain": f"{abs(gain):.1f} points {'better' if gain > 0 else 'worse'}" if abs(gain) >= 0.05 else "as good",
        "n": number(raw.get("n")),
    }


def dead(run: RunFolder) -> Values:
    """Rows of the table with depthwise kernels or BatchNorm scales that are practically zero."""
    rows = run.end.get("dead")
    if not isinstance(rows, list):
        raise Missing("Not counted: the run has not ended, or an older version trained it.")
    counted = [(str(row["row"]), _pair(row["kernels"]), _pair(row["scales"])) for row in rows]
    if not counted:
        raise Missing("The network has neither depthwise convolutions nor BatchNorm.")
    sums = [
        [sum(pair[i] for pair in pairs) for i in (0, 1)] for pairs in zip(*(one[1:] for one in counted), strict=True)
    ]
    return {
        "kinds": [
            (name, number(gone), number(whole), percent(gone / whole))
            for name, (gone, whole) in zip(("depthwise kernels", "BatchNorm scales"), sums, strict=True)
            if whole
        ],
        "rows": [
            [name, *(f"{number(gone)} of {number(whole)}" if whole else "" for gone, whole in (kernels, scales))]
            for name, kernels, scales in counted
            if kernels[0] or scales[0]
        ],
    }


def _pair(value: Any) -> tuple[int, int]:
    gone, whole = value
    return int(gone), int(whole)
