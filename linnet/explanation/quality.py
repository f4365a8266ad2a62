"""What the network gets right and wrong: confusion, classes, calibration, the mistakes as pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

from . import charts
from .folder import RunFolder
from .section import Missing, Values
from .text import NONE, finite, interval, number, percent, shortened
from .thumbnail import thumbnail

MATRIX_CLASSES = 30  # more are shown as a map without names, with the pairs that are confused most
ROWS = 30  # of a long table; the rest is folded away
PAIRS = 15
PICTURES = 12


def confusion(run: RunFolder) -> Values:
    """A table with shares as colours, or for many classes a map and the pairs that are confused most."""
    matrix = metrics_of(run)["confusion"]
    names = names_of(run, len(matrix))
    pairs = sorted(
        (
            (row[j], i, j, row[j] / sum(row))
            for i, row in enumerate(matrix)
            for j in range(len(row))
            if i != j and row[j]
        ),
        key=lambda pair: (-pair[0], -pair[3], pair[1:3]),
    )
    small = len(matrix) <= MATRIX_CLASSES
    rows = []
    for i, row in enumerate(matrix) if small else ():
        total = sum(row)
        cells = [
            (
                number(n) if n else "",
                f"{'right' if i == j else 'wrong'} g{charts.level(n / total if total else 0)}",
                f"given {shortened(names[i], 40)}, predicted {shortened(names[j], 40)}: {n} of {total}",
            )
            for j, n in enumerate(row)
        ]
        rows.append((shortened(names[i], 24), names[i], cells, number(total)))
    return {
        "small": small,
        "width": "few" if len(matrix) <= 6 else "some" if len(matrix) <= 14 else "many",
        "names": [(shortened(name, 24), name) for name in names] if small else [],
        "rows": rows,
        "map": Markup(charts.heat_map(matrix)) if not small and len(matrix) <= 300 else "",
        "n_classes": len(matrix),
        "pairs": [
            (shortened(names[i], 40), shortened(names[j], 40), number(n), number(sum(matrix[i])), percent(share, 0))
            for n, i, j, share in pairs[: 3 if small else PAIRS]
        ],
        "split": split_of(run),
    }


def per_class(run: RunFolder) -> Values:
    """Precision, recall and F1, the weakest class first."""
    metrics = metrics_of(run)
    names = names_of(run, len(metrics["per_class"]))
    order = sorted(
        range(len(names)),
        key=lambda c: (metrics["per_class"][c]["f1"] is None, metrics["per_class"][c]["f1"] or 0, names[c]),
    )
    rows = []
    for c in order:
        one = metrics["per_class"][c]
        rows.append(
            {
                "name": shortened(names[c], 48),
                "precision": percent(one["precision"]),
                "recall": percent(one["recall"]),
                "interval": interval(one.get("recall_interval"), 0) if one["n"] else NONE,
                "f1": percent(one["f1"]),
                "bar": Markup(charts.bar(one["f1"] or 0)),
                "n": number(one["n"]),
            }
        )
    # A handful below the fold would be silly: fold only what is clearly more than a screen.
    first = rows if len(rows) <= ROWS * 4 // 3 else rows[:ROWS]
    return {
        "first": first,
        "rest": rows[len(first) :],
        "macro": percent(metrics.get("macro_f1")),
        "macro_interval": interval(metrics.get("macro_f1_interval")),
        "top5": percent(metrics.get("top5")) if len(names) > 5 else "",
        "split": split_of(run),
    }


def calibration(run: RunFolder) -> Values:
    """The calibration error, and how often the model is right at each confidence (the error's own 15 bins)."""
    from ..evaluation.intervals import wilson
    from ..evaluation.metrics import BINS

    error = metrics_of(run).get("calibration_error")
    sure = [
        (float(item["confidence"]), item["label"] == item["predicted"])
        for item in run.predictions.get("items", [])
        if finite(item.get("confidence")) and 0 <= item["confidence"] <= 1
    ]
    bins: dict[int, list[tuple[float, bool]]] = {}
    for confidence, right in sure:
        bins.setdefault(min(BINS - 1, max(0, math.ceil(confidence * BINS) - 1)), []).append((confidence, right))
    points = []
    for _, members in sorted(bins.items()):
        n, hits = len(members), sum(right for _, right in members)
        points.append((sum(c for c, _ in members) / n, hits / n, *wilson(hits, n), n))
    if not points and not finite(error):
        raise Missing("Calibration was not measured.")
    gap = sum(c for c, _ in sure) / len(sure) - sum(right for _, right in sure) / len(sure) if sure else 0.0
    return {
        "error": f"{error * 100:.1f} points" if error is not None and finite(error) else "",
        "gap": f"{abs(gap) * 100:.1f}",
        "too_sure": gap > 0.005,
        "too_shy": gap < -0.005,
        "drawing": Markup(charts.calibration_chart(points)),
        "n": number(len(sure)),
        "bins": BINS,
    }


def metrics_of(run: RunFolder) -> Mapping[str, Any]:
    metrics = run.predictions.get("metrics")
    if not isinstance(metrics, dict):
        raise Missing("Not measured: the run has no predictions.json with metrics.")
    return metrics


def names_of(run: RunFolder, n: int) -> list[str]:
    names = run.classes
    return [names[i] if i < len(names) else f"class {i}" for i in range(n)]


def split_of(run: RunFolder) -> str:
    return shortened(run.predictions.get("split", "test"), 20)


# -- mistakes as pictures ---------------------------------------------------------------------------------------------
def mistakes(run: RunFolder) -> Values:
    """The mistakes the model was most sure of, as small pictures read from the photo files."""
    wrong = [item for item in answers(run) if item["label"] != item["predicted"]]
    wrong.sort(key=lambda item: (-item["confidence"] if finite(item["confidence"]) else 0, str(item["path"])))
    name = lambda label: shortened(_name(run.classes, label), 40)  # noqa: E731
    shown = [(item, name(item["label"]), name(item["predicted"]), item["confidence"]) for item in wrong[:PICTURES]]
    return as_pictures(run, len(wrong), shown)


def answers(run: RunFolder) -> list[dict[str, Any]]:
    """What was predicted for each photo. Raises: Missing where it was not written down."""
    items = run.predictions.get("items")
    if not isinstance(items, list) or not items:
        raise Missing("There are no mistakes to show: the run has no predictions.json with items.")
    return items


def as_pictures(run: RunFolder, wrong: int, shown: list[tuple[dict[str, Any], str, str, float]]) -> Values:
    """These of the `wrong` mistakes as pictures, each (its item, given, predicted, how sure), and what there is to count."""
    cards = []
    for item, given, predicted, sure in shown:
        uri, why_not = thumbnail(photo_file(run, str(item["path"])))
        cards.append(
            {
                "uri": uri,
                "why_not": why_not,
                "given": given,
                "predicted": predicted,
                "confidence": percent(sure, 0),
                "path": shortened(below_root(run, str(item["path"])), 40),
            }
        )
    return {
        "cards": cards,
        "wrong": number(wrong),
        "n": number(len(answers(run))),
        "split": split_of(run),
        "notes": [shortened(note, 200) for note in run.predictions.get("notes", [])],
        "left_out": len(run.predictions.get("left_out", [])),
    }


def _name(names: tuple[str, ...], label: Any) -> str:
    return names[label] if isinstance(label, int) and 0 <= label < len(names) else f"class {label}"


def _root(run: RunFolder) -> Path:
    root = Path(str(run.data.get("root") or run.recipe.get("photos") or "."))
    return root.parent if root.suffix.lower() == ".csv" else root


def photo_file(run: RunFolder, path: str) -> Path:
    return _root(run) / path  # an absolute path stays as it is


def below_root(run: RunFolder, path: str) -> str:
    """As it is called inside the photo folder: where that lies on somebody's disk is nobody's business."""
    try:
        return str(Path(path).relative_to(_root(run)))
    except ValueError:
        outside = Path(path).is_absolute() or ".." in Path(path).parts
        return Path(path).name if outside else path
