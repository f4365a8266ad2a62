"""From logits and labels to figures: exact, each accuracy with its interval. numpy only."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import DataError
from .intervals import Interval, bootstrap, wilson

BINS = 15


@dataclass(frozen=True)
class ClassMetrics:
    """One class against the rest. None where nothing is defined: no photo of it, or none taken for it."""

    n: int
    precision: float | None
    recall: float | None
    recall_interval: Interval
    f1: float | None


@dataclass(frozen=True)
class Metrics:
    """Figures of one model on one set of photos. Shares are 0 to 1; intervals are 95 %."""

    n: int
    top1: float
    top1_interval: Interval
    top5: float
    top5_interval: Interval
    per_class: tuple[ClassMetrics, ...]
    macro_f1: float
    macro_f1_interval: Interval
    confusion: tuple[tuple[int, ...], ...]  # [true class][predicted class]
    calibration_error: float
    loss: float

    def to_json(self) -> dict[str, Any]:
        """Plain values: lists for tuples."""
        value = dataclasses.asdict(self)
        value["per_class"] = [{**one, "recall_interval": list(one["recall_interval"])} for one in value["per_class"]]
        for name in ("top1_interval", "top5_interval", "macro_f1_interval"):
            value[name] = list(value[name])
        value["confusion"] = [list(row) for row in self.confusion]
        return value


def measure(logits: np.ndarray, labels: np.ndarray) -> Metrics:
    """All figures for logits [n, classes] and labels [n].

    Among equal logits the class that comes first wins, in top-1 as in top-5. Macro F1 is the mean over the classes that
    occur among labels or predictions. Calibration error: 15 bins of equal width over the largest probability
    (Guo 2017). Loss: mean of -log probability of the label, without smoothing.

    Raises: DataError for no photos, logits that are no finite numbers, or labels that are not classes.
    """
    logits, labels = np.asarray(logits, np.float64), np.asarray(labels, np.int64)
    check(logits, labels)
    n, classes = logits.shape
    own = logits[np.arange(n), labels]
    earlier = np.arange(classes) < labels[:, None]
    rank = (logits > own[:, None]).sum(1) + ((logits == own[:, None]) & earlier).sum(1)
    predicted = logits.argmax(1)
    right = int((rank == 0).sum())
    among5 = int((rank < 5).sum())

    log_probability = logits - logits.max(1, keepdims=True)
    log_probability -= np.log(np.exp(log_probability).sum(1, keepdims=True))
    confidence = np.exp(log_probability.max(1))

    confusion = np.bincount(labels * classes + predicted, minlength=classes**2).reshape(classes, classes)
    cells = confusion.ravel().nonzero()[0]
    true, guessed = cells // classes, cells % classes

    def score(counts: np.ndarray) -> float:
        return macro_f1(true, guessed, counts, classes)

    return Metrics(
        n=n,
        top1=right / n,
        top1_interval=wilson(right, n),
        top5=among5 / n,
        top5_interval=wilson(among5, n),
        per_class=tuple(one_class(confusion, c) for c in range(classes)),
        macro_f1=score(confusion.ravel()[cells]),
        macro_f1_interval=bootstrap(score, confusion.ravel()[cells]),
        confusion=tuple(tuple(map(int, row)) for row in confusion),
        calibration_error=calibration_error(confidence, predicted == labels),
        loss=float(-log_probability[np.arange(n), labels].mean()),
    )


def check(logits: np.ndarray, labels: np.ndarray) -> None:
    if logits.ndim != 2 or logits.shape[1] == 0 or labels.shape != logits.shape[:1]:
        raise DataError(f"Logits {logits.shape} and labels {labels.shape} do not fit; give [n, classes] and [n].")
    if len(labels) == 0:
        raise DataError("There are no photos to measure on; choose a split that has some.")
    if labels.min() < 0 or labels.max() >= logits.shape[1]:
        raise DataError(
            f"Labels from {labels.min()} to {labels.max()} for {logits.shape[1]} classes; give 0 to {logits.shape[1] - 1}."
        )
    if not np.isfinite(logits).all():
        bad = int((~np.isfinite(logits)).any(1).sum())
        raise DataError(f"The model's logits for {bad} of {len(labels)} photos are not finite numbers; train it again.")


def one_class(confusion: np.ndarray, c: int) -> ClassMetrics:
    hit, n, taken = int(confusion[c, c]), int(confusion[c].sum()), int(confusion[:, c].sum())
    return ClassMetrics(
        n=n,
        precision=hit / taken if taken else None,
        recall=hit / n if n else None,
        recall_interval=wilson(hit, n),
        f1=2 * hit / (n + taken) if n + taken else None,
    )


def macro_f1(true: np.ndarray, guessed: np.ndarray, counts: np.ndarray, classes: int) -> float:
    """Mean F1 of the classes that occur, from the number of photos per pair (true, guessed)."""
    seen = np.bincount(true, counts, classes) + np.bincount(guessed, counts, classes)
    hit = np.bincount(true, counts * (true == guessed), classes)
    return float((2 * hit[seen > 0] / seen[seen > 0]).mean())


def calibration_error(confidence: np.ndarray, right: np.ndarray) -> float:
    """Mean gap between confidence and accuracy over bins (low, high], weighted by the photos in each."""
    place = np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)
    gap = np.bincount(place, right, BINS) - np.bincount(place, confidence, BINS)
    return float(np.abs(gap).sum() / len(right))
