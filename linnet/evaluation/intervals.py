"""How sure a figure is: intervals for an accuracy, for a score of resampled photos, and for the loss between two models."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

Interval = tuple[float, float]


def wilson(right: int, n: int, *, sure: float = 0.95) -> Interval:
    """The two-sided interval of a share of `right` in `n` (0 to 1 when n is 0).

    Source: Wilson 1927; without continuity correction, as in Brown, Cai & DasGupta 2001.
    """
    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + sure) / 2)
    share, spread = right / n, z * z / n
    middle = share + spread / 2
    half = z * math.sqrt((share * (1 - share) + spread / 4) / n)
    low, high = (middle - half) / (1 + spread), (middle + half) / (1 + spread)
    # At the ends rounding would leave 1e-17 where 0 is meant.
    return (0.0 if right == 0 else low), (1.0 if right == n else high)


def bootstrap(score: Callable[[np.ndarray], float], counts: np.ndarray, *, draws: int = 1000) -> Interval:
    """The 95 % percentile interval of `score(counts)` when photos are drawn again with replacement.

    `counts` says how many photos are of each kind; drawing n photos is drawing these counts from a multinomial, which
    costs the same for any n. The draws are the same each time (Philox, fixed key).
    """
    n = int(counts.sum())
    rng = np.random.Generator(np.random.Philox(key=0))
    scores = [score(rng.multinomial(n, counts / n)) for _ in range(draws)]
    low, high = np.quantile(scores, [0.025, 0.975])
    return float(low), float(high)


@dataclass(frozen=True)
class Drop:
    """How much accuracy the second of two models loses on the same n photos; `at_most` is the one-sided 95 % bound."""

    drop: float
    at_most: float
    n: int
    lost: int  # photos that only the first model has right
    won: int  # photos that only the second has right

    def __str__(self) -> str:
        return f"{100 * self.drop:.1f} points, at most {100 * self.at_most:.1f}, n = {self.n:,}"

    def to_json(self) -> dict[str, Any]:
        return {"drop": self.drop, "at_most": self.at_most, "n": self.n, "lost": self.lost, "won": self.won}


def paired_drop(first: np.ndarray, second: np.ndarray) -> Drop:
    """Compare two models photo by photo: `first` and `second` say which photos each has right, bool [n].

    The bound is Tango's score limit for a paired difference. Where nothing was won it is at least the exact limit of
    the share lost (Clopper & Pearson), which is the true one when nothing changed: 0 of 372 gives 0.8 points.
    Source: Tango 1998, Statistics in Medicine 17:891.
    """
    first, second = np.asarray(first, bool), np.asarray(second, bool)
    n = len(first)
    lost, won = int((first & ~second).sum()), int((~first & second).sum())
    if n == 0:
        return Drop(0.0, 1.0, 0, 0, 0)
    at_most = tango_upper(lost, won, n)
    if won == 0:
        at_most = max(at_most, exact_upper(lost, n))
    return Drop((lost - won) / n, at_most, n, lost, won)


def tango_upper(lost: int, won: int, n: int, *, sure: float = 0.95) -> float:
    """The largest difference (lost - won) / n that a one-sided score test does not refuse."""
    z = NormalDist().inv_cdf(sure)

    def score(delta: float) -> float:
        b = -lost - won + (2 * n - lost + won) * delta
        c = -won * delta * (1 - delta)
        share = (math.sqrt(max(b * b - 8 * n * c, 0.0)) - b) / (4 * n)
        variance = n * (2 * share + delta * (1 - delta))
        return (lost - won - n * delta) / math.sqrt(variance) if variance > 0 else 0.0

    return bisect(lambda delta: score(delta) > -z, (lost - won) / n, 1.0)


def exact_upper(k: int, n: int, *, sure: float = 0.95) -> float:
    """The largest share under which k or fewer of n is not rarer than 1 - sure (Clopper & Pearson)."""
    if k >= n:
        return 1.0

    def at_most_k(p: float) -> float:
        logs = [
            math.lgamma(n + 1)
            - math.lgamma(i + 1)
            - math.lgamma(n - i + 1)
            + i * math.log(p)
            + (n - i) * math.log1p(-p)
            for i in range(k + 1)
        ]
        return math.fsum(map(math.exp, logs))

    return bisect(lambda p: at_most_k(p) > 1 - sure, max(k / n, 1e-12), 1 - 1e-12)


def bisect(below: Callable[[float], bool], low: float, high: float) -> float:
    """Where `below` turns from true to false between `low` and `high`."""
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) else (low, middle)
    return high
