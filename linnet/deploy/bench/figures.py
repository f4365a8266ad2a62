"""What blocks of times say: percentiles, whether one contestant is faster than another, whether the machine held still."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from .timing import Block

CHANGED = 1.05  # the last third of a measurement by the first: beyond this it is not one machine that was measured
PERCENTILES = {"p10_ms": 10, "median_ms": 50, "p90_ms": 90, "p99_ms": 99}


@dataclass(frozen=True)
class Ratio:
    """How many times as long the `slower` takes: the median over rounds, with a 95 % interval."""

    faster: str
    slower: str
    ratio: float
    low: float
    high: float

    @property
    def told_apart(self) -> bool:
        return not self.low <= 1 <= self.high

    def times(self, name: str) -> tuple[float, float, float]:
        """How many times as long as the other of the two `name` takes, and the ends of the interval."""
        if name == self.slower:
            return self.ratio, self.low, self.high
        return 1 / self.ratio, 1 / self.high, 1 / self.low if self.low else math.inf

    def __str__(self) -> str:
        return spread(self.ratio, self.low, self.high)

    def to_json(self) -> dict[str, Any]:
        high = self.high if math.isfinite(self.high) else None
        return {**self.__dict__, "high": high, "told_apart": self.told_apart}


def spread(ratio: float, low: float, high: float) -> str:
    return f"{ratio:.2f} ({low:.2f} to {high:.2f})"


def percentiles(blocks: Iterable[Block]) -> dict[str, float]:
    """Of all calls, in milliseconds."""
    calls = [second for block in blocks for second in block.calls]
    return {name: round(1000 * float(np.percentile(calls, q)), 4) for name, q in PERCENTILES.items()}


def value(blocks: Iterable[Block]) -> float:
    """The median block, in seconds."""
    return statistics.median(block.value for block in blocks)


def compare(first: tuple[str, Sequence[Block]], second: tuple[str, Sequence[Block]]) -> Ratio:
    """Which of two is faster, round by round: what the machine did in a round, it did to both.

    So the faster by the rounds may have the larger median where the machine swings. Of an even number of rounds the median
    is the geometric mean of the two in the middle, which is the same from either side. The interval is that of a median by order statistics: it asks nothing of how times are distributed. Fewer than 6 rounds
    tell nothing.
    Source: Conover 1999, Practical Nonparametric Statistics, 3.2.
    """
    (one, a), (other, b) = sorted((first, second), key=lambda named: value(named[1]))  # for those level in the rounds
    ratios = sorted(y.value / x.value for x, y in zip(a, b, strict=True))
    if middle(ratios) < 1:
        one, other, ratios = other, one, sorted(1 / ratio for ratio in ratios)
    cut = edge(len(ratios))
    low, high = (ratios[cut - 1], ratios[-cut]) if cut else (0.0, math.inf)
    return Ratio(one, other, middle(ratios), low, high)


def middle(ratios: Sequence[float]) -> float:
    """The median of sorted ratios."""
    n = len(ratios)
    return math.sqrt(ratios[(n - 1) // 2] * ratios[n // 2])


def edge(n: int, sure: float = 0.95) -> int:
    """The largest k for which the k-th lowest and the k-th highest of n values enclose the median as surely as that."""
    below, k = 0.0, 0
    while k < n // 2:
        below += math.comb(n, k) / 2**n
        if 2 * below > 1 - sure:
            break
        k += 1
    return k


def all_pairs(found: Mapping[str, Sequence[Block]]) -> tuple[Ratio, ...]:
    """Every two of them, in the order of their medians. Which of the two is the faster, their rounds say."""
    order = sorted(found, key=lambda name: value(found[name]))
    return tuple(compare((a, found[a]), (b, found[b])) for a, b in combinations(order, 2))


def drift(found: Mapping[str, Sequence[Block]]) -> float:
    """How many times as long a block took in the last third of the rounds as in the first, all contestants together."""
    own = {name: value(blocks) for name, blocks in found.items()}
    rounds = [
        statistics.median(block.value / own[name] for name, block in zip(found, blocks, strict=True))
        for blocks in zip(*found.values(), strict=True)
    ]
    third = max(1, len(rounds) // 3)
    return statistics.median(rounds[-third:]) / statistics.median(rounds[:third])


def drift_note(ratio: float) -> str:
    """A sentence where the machine changed, else nothing."""
    if 1 / CHANGED <= ratio <= CHANGED:
        return ""
    return (
        f"The machine changed while measuring: blocks of the last third took {ratio:.2f} times as long as those of the first."
        " Ratios hold, milliseconds less so. Close other programs and measure again, or longer (--seconds)."
    )
