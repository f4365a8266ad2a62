"""From logits and several labels per photo to figures: each label is a question of yes or no. numpy only."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import DataError
from .intervals import Interval, bootstrap, wilson

THRESHOLD = 0.5  # a label is said from this probability on: a logit of 0
DRAWN = 10**8  # answers that all draws of a bootstrap may look at together, some seconds


@dataclass(frozen=True)
class LabelMetrics:
    """One label: `n` photos have it. None where nothing is defined: no photo has it, or it was said of none."""

    n: int
    average_precision: float | None
    precision: float | None
    recall: float | None
    recall_interval: Interval
    f1: float | None


@dataclass(frozen=True)
class SeveralMetrics:
    """Figures of one model on photos with several labels each. Shares are 0 to 1; intervals are 95 %.

    The means (mean_average_precision, macro_f1) are over the labels that some photo has.
    """

    n: int
    mean_average_precision: float
    mean_average_precision_interval: Interval
    micro_f1: float
    micro_f1_interval: Interval
    macro_f1: float
    macro_f1_interval: Interval
    exact_match: float  # photos of which every label is right
    exact_match_interval: Interval
    labels_right: float  # answers that are right, of n * labels (1 - Hamming loss)
    per_label: tuple[LabelMetrics, ...]
    loss: float
    threshold: float = THRESHOLD

    def to_json(self) -> dict[str, Any]:
        """Plain values: lists for tuples."""
        value = dataclasses.asdict(self)
        for one in [value, *value["per_label"]]:
            one |= {name: list(ends) for name, ends in one.items() if name.endswith("_interval")}
        return {**value, "per_label": list(value["per_label"])}


def measure_several(logits: np.ndarray, labels: np.ndarray, *, draws: int = 1000) -> SeveralMetrics:
    """All figures for logits and multi-hot labels, both [n, classes]; a label is said where its logit is 0 or more.

    Average precision is the area under the steps of precision over recall, with equal scores taken together, as
    scikit-learn's average_precision_score is. It is without the interpolation of PASCAL VOC, whose figures are no lower. Loss:
    mean binary cross-entropy over photos and labels. The intervals of means come from `draws` (fewer of very many
    photos; 0: each is the figure itself) times drawing the photos again.

    Raises: DataError for no photos, none with a label, logits that are no finite numbers, or labels that do not fit.
    """
    logits, truth = np.asarray(logits, np.float64), np.asarray(labels) != 0
    check(logits, np.asarray(labels))
    n, classes = logits.shape
    said = logits >= 0
    hit, has, taken = (said & truth).sum(0), truth.sum(0), said.sum(0)
    order = np.argsort(-logits, axis=0, kind="stable")
    ranked = np.take_along_axis(truth, order, 0)
    ends = last_of_equals(np.take_along_axis(logits, order, 0))
    ones, draws = np.ones(n, np.int64), min(draws, max(100, DRAWN // (n * classes))) if draws else 0
    single = average_precisions(ranked, ends, ones[order])
    seen = has > 0

    def mean_average_precision(counts: np.ndarray) -> float:
        found = average_precisions(ranked[:, seen], ends[:, seen], counts[order[:, seen]])
        return float(np.nanmean(found)) if np.isfinite(found).any() else 0.0  # of few photos a draw may have no label

    def micro_f1(counts: np.ndarray) -> float:
        return f1(float(counts @ (said & truth).sum(1)), float(counts @ truth.sum(1)), float(counts @ said.sum(1)))

    def macro_f1(counts: np.ndarray) -> float:
        both, own, guessed = (counts @ part[:, seen] for part in (said & truth, truth, said))
        return float(np.mean(2 * both / np.maximum(own + guessed, 1)))

    def ends_of(score: Any) -> Interval:
        return bootstrap(score, ones, draws=draws) if draws else (score(ones), score(ones))

    exact = int((said == truth).all(1).sum())
    return SeveralMetrics(
        n=n,
        mean_average_precision=mean_average_precision(ones),
        mean_average_precision_interval=ends_of(mean_average_precision),
        micro_f1=micro_f1(ones),
        micro_f1_interval=ends_of(micro_f1),
        macro_f1=macro_f1(ones),
        macro_f1_interval=ends_of(macro_f1),
        exact_match=exact / n,
        exact_match_interval=wilson(exact, n),
        labels_right=float((said == truth).mean()),
        per_label=tuple(
            LabelMetrics(
                n=int(has[c]),
                average_precision=float(single[c]) if has[c] else None,
                precision=float(hit[c] / taken[c]) if taken[c] else None,
                recall=float(hit[c] / has[c]) if has[c] else None,
                recall_interval=wilson(int(hit[c]), int(has[c])),
                f1=f1(float(hit[c]), float(has[c]), float(taken[c])) if has[c] + taken[c] else None,
            )
            for c in range(classes)
        ),
        loss=float((np.logaddexp(0, logits) - logits * truth).mean()),
    )


def check(logits: np.ndarray, labels: np.ndarray) -> None:
    if logits.ndim != 2 or labels.shape != logits.shape:
        raise DataError(f"Logits {logits.shape} and labels {labels.shape} do not fit; give [n, classes] of both.")
    if not labels.any():
        raise DataError("There is no photo with a label to measure on; choose a split that has some.")
    if not np.isfinite(logits).all():
        bad = int((~np.isfinite(logits)).any(1).sum())
        raise DataError(f"The model's logits for {bad} of {len(labels)} photos are not finite numbers; train it again.")


def f1(hit: float, has: float, taken: float) -> float:
    return 2 * hit / max(has + taken, 1.0)


def average_precisions(ranked: np.ndarray, ends: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Average precision of each label, float64 [classes]; nan where no photo has it.

    All [n, classes], each column in the order of falling scores: bool `ranked` says which photos have the label, `ends`
    where the photos of the same score end, `counts` how often each photo is there.
    """
    found = np.take_along_axis(np.cumsum(ranked * counts, 0), ends, 0)
    looked = np.take_along_axis(np.cumsum(counts, 0), ends, 0)
    total = (ranked * counts).sum(0)
    with np.errstate(invalid="ignore"):
        return (ranked * counts * (found / np.maximum(looked, 1))).sum(0) / total


def last_of_equals(scores: np.ndarray) -> np.ndarray:
    """The last place with the same score as each, in columns of falling scores: int64 [n, classes]."""
    n = len(scores)
    ends = np.where(
        np.vstack([scores[1:] != scores[:-1], np.ones((1, scores.shape[1]), bool)]), np.arange(n)[:, None], n
    )
    return np.minimum.accumulate(ends[::-1], 0)[::-1]
