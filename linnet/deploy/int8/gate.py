"""The accuracy gate: whether int8 loses no more than it may on validation photos, and how surely that is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import SettingError
from ...evaluation.intervals import Drop, paired_drop, tango_upper

POINTS = 0.5  # of accuracy that may be lost where nothing else is said


@dataclass(frozen=True)
class Verdict:
    """A drop against what it may be, both as shares of photos (0.005 is half a point).

    `passed`: the drop that was measured is within the limit. `decided`: so is its one-sided 95 % upper bound; without
    that a larger loss cannot be ruled out with so few photos.
    """

    drop: Drop
    max_drop: float

    @property
    def passed(self) -> bool:
        return self.drop.drop <= self.max_drop + 1e-12  # 1 of 200 is 0.005, whatever floating point says

    @property
    def decided(self) -> bool:
        return self.drop.at_most <= self.max_drop

    def __str__(self) -> str:
        limit = f"{100 * self.max_drop:.2g} points"
        if not self.passed:
            return f"drops {self.drop}, which is more than {limit}"
        if self.decided:
            return f"drops {self.drop}: within {limit}"
        return f"drops {self.drop}: within {limit} on these, but not decidable with {self.drop.n:,} images"

    def to_json(self) -> dict[str, Any]:
        return {"max_drop": self.max_drop, "drop": self.drop.to_json(), "passed": self.passed, "decided": self.decided}


def verdict_of(facts: Mapping[str, Any]) -> Verdict:
    """What `to_json` wrote."""
    return Verdict(Drop(**facts["drop"]), facts["max_drop"])


def judge(float_right: np.ndarray, int8_right: np.ndarray, max_drop: float | None) -> Verdict:
    """Which photos the float and the int8 model have right, bool [n] each, against a limit in points (see `limit_of`)."""
    return Verdict(paired_drop(float_right, int8_right), limit_of(max_drop, len(float_right)))


def limit_of(max_drop: float | None, n: int) -> float:
    """The largest share that may be lost of n photos: `max_drop` points; without one 0.5, or one photo where that is more.

    With fewer than 200 photos half a point is less than one of them, and any single change would fail.
    Raises: SettingError for points that are not 0 to 100.
    """
    if max_drop is None:
        return max(POINTS / 100, 1 / n if n else 0.0)
    if not 0 <= max_drop <= 100:
        raise SettingError(f"max_drop is {max_drop}; allowed are 0 to 100 points of accuracy, such as 0.5.")
    return max_drop / 100


def surely_above(drop: Drop, limit: float) -> bool:
    """Whether the true drop is above the limit with 95 % confidence, one-sided: a few unlucky photos do not make it so."""
    return drop.n > 0 and -tango_upper(drop.won, drop.lost, drop.n) > limit


def divergence(logits: np.ndarray, other: np.ndarray, *, several: bool = False) -> float:
    """How far `other` predicts from `logits`, both [n, classes]: the mean Kullback-Leibler divergence of a photo, in nats.

    Of `several` labels each, that of each label's yes and no, summed over the labels. Infinite where `other` is not finite.
    """
    if not np.isfinite(other).all():
        return float("inf")
    a, b = (np.asarray(one, np.float64) for one in (logits, other))
    if several:
        a, b = (np.stack([np.zeros_like(one), one], -1) for one in (a, b))
    a, b = (one - np.logaddexp.reduce(one, -1, keepdims=True) for one in (a, b))
    return float((np.exp(a) * (a - b)).sum(-1).reshape(len(a), -1).sum(1).mean())
