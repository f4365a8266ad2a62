"""What a network that gives several labels gets right and wrong: label by label, and the mistakes as pictures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from markupsafe import Markup

from . import charts
from .folder import RunFolder
from .quality import PICTURES, ROWS, answers, as_pictures, metrics_of, names_of, split_of
from .section import Missing, Values
from .text import NONE, finite, interval, number, percent, shortened


def several(run: RunFolder) -> bool:
    """Whether the run's photos have several labels each, as far as its files say."""
    checked = [line.get("validation") for line in run.epochs]
    said = (run.predictions.get("several"), run.bundle.get("labels") == "several")
    return any(said) or any(isinstance(v, dict) and "mean_average_precision" in v for v in checked)


def confusion(run: RunFolder) -> Values:
    """Nothing, and why."""
    raise Missing(
        "Each label is a question of yes or no by itself, so none is taken for another. Next: label by label."
    )


def calibration(run: RunFolder) -> Values:
    """Nothing, and why."""
    raise Missing("Calibration is measured where each photo has one label.")


def per_label(run: RunFolder) -> Values:
    """Average precision, and precision, recall and F1 at 0.5; the weakest label first."""
    metrics = metrics_of(run)
    each, names = metrics["per_label"], names_of(run, len(metrics["per_label"]))
    order = sorted(
        range(len(names)),
        key=lambda c: (each[c]["average_precision"] is None, each[c]["average_precision"] or 0, names[c]),
    )
    rows = [
        {
            "name": shortened(names[c], 48),
            "average": percent(each[c]["average_precision"]),
            "precision": percent(each[c]["precision"]),
            "recall": percent(each[c]["recall"]),
            "interval": interval(each[c].get("recall_interval"), 0) if each[c]["n"] else NONE,
            "f1": percent(each[c]["f1"]),
            "bar": Markup(charts.bar(each[c]["f1"] or 0)),
            "n": number(each[c]["n"]),
        }
        for c in order
    ]
    first = rows if len(rows) <= ROWS * 4 // 3 else rows[:ROWS]
    return {
        "first": first,
        "rest": rows[len(first) :],
        "average": percent(metrics.get("mean_average_precision")),
        "average_interval": interval(metrics.get("mean_average_precision_interval")),
        "exact": percent(metrics.get("exact_match")),
        "micro": percent(metrics.get("micro_f1")),
        "macro": percent(metrics.get("macro_f1")),
        "macro_interval": interval(metrics.get("macro_f1_interval")),
        "top5": "",
        "split": split_of(run),
    }


def mistakes(run: RunFolder) -> Values:
    """The photos with a label wrong of which the model was most sure, as small pictures."""
    wrong = [(surest(item), item) for item in answers(run) if sorted(item["labels"]) != sorted(item["predicted"])]
    wrong.sort(key=lambda pair: (-pair[0], str(pair[1]["path"])))
    named = lambda labels: shortened(_listed(run, labels), 60)  # noqa: E731
    shown = [(item, named(item["labels"]), named(item["predicted"]), sure) for sure, item in wrong[:PICTURES]]
    return as_pictures(run, len(wrong), shown)


def surest(item: dict[str, Any]) -> float:
    """How sure the model was of the wrong answer that it was most sure of: that a label is there, or that it is not."""
    shares = item["probabilities"]
    wrong = set(item["labels"]) ^ set(item["predicted"])
    return max((max(shares[c], 1 - shares[c]) for c in wrong if finite(shares[c])), default=0.0)


def _listed(run: RunFolder, labels: list[int]) -> str:
    names = names_of(run, max([*labels, -1]) + 1)
    return ", ".join(names[c] for c in labels) or "no label"


SECTIONS: dict[str, Callable[[RunFolder], Values]] = {
    "confusion": confusion,
    "classes": per_label,
    "mistakes": mistakes,
    "calibration": calibration,
}
