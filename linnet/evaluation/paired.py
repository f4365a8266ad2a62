"""Two models on the same photos: how much better one is, how sure that is, and whether chance alone would do it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from .intervals import Interval, tango_upper


@dataclass(frozen=True)
class Paired:
    """Photos by who has them right, and what follows. `difference` is the second model's accuracy less the first's."""

    both: int
    only_first: int
    only_second: int
    neither: int
    difference: float
    interval: Interval  # 95 %, two-sided
    p: float  # of McNemar's exact test

    @property
    def n(self) -> int:
        return self.both + self.only_first + self.only_second + self.neither

    def to_json(self) -> dict[str, Any]:
        return {**self.__dict__, "interval": list(self.interval), "n": self.n}


def compare_answers(first: np.ndarray, second: np.ndarray) -> Paired:
    """Compare two models photo by photo: `first` and `second` say which photos each has right, bool [n], n > 0.

    Only photos on which the two differ count; that is what makes the pairs worth more than two separate intervals.
    The interval is Tango's score interval of a paired difference.
    Source: McNemar 1947; Tango 1998, Statistics in Medicine 17:891.
    """
    first, second = np.asarray(first, bool), np.asarray(second, bool)
    n, lost, won = len(first), int((first & ~second).sum()), int((~first & second).sum())
    interval = (-tango_upper(lost, won, n, sure=0.975), tango_upper(won, lost, n, sure=0.975))
    both = int((first & second).sum())
    return Paired(both, lost, won, n - both - lost - won, (won - lost) / n, interval, mcnemar(lost, won))


def mcnemar(lost: int, won: int) -> float:
    """The two-sided exact p of `lost` against `won`: were each disagreement a fair coin, how often it would be as
    uneven as this or more.

    Source: McNemar 1947; exact by the binomial distribution.
    """
    n, least = lost + won, min(lost, won)
    if n == 0:
        return 1.0
    log_half = n * math.log(0.5)
    logs = (math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1) + log_half for i in range(least + 1))
    return min(1.0, 2 * math.fsum(map(math.exp, logs)))
