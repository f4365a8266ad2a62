"""How a table widens and deepens: the rounding rule, one policy per family, compound coefficients."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal


def round_channels(wanted: float, divisor: int = 8, guard: float = 0.9) -> int:
    """The multiple of `divisor` nearest to `wanted`, and not below `guard` x `wanted`.

    Source: TF-slim `_make_divisible`; EfficientNet's `round_filters` has the 10 % guard, EfficientNetV2's has none.

    >>> round_channels(32 * 1.1), round_channels(16 * 1.2), round_channels(16 * 1.2, guard=0)
    (32, 24, 16)
    """
    rounded = max(divisor, int(wanted + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < guard * wanted else rounded


@dataclass(frozen=True)
class Scaling:
    """A family's policy: which rows follow the width and depth multipliers, and how channels are rounded."""

    divisor: int = 8
    guard: float = 0.9
    stem: bool = True  # the stem's channels follow the width
    head: Literal["scaled", "fixed", "grows"] = "scaled"  # the last convolution; "grows" follows widths above 1 only
    ends: bool = True  # the first and the last stage follow the depth

    def channels(self, c: int, width: float) -> int:
        """`c` channels at a width multiplier; 1 changes nothing, nor does it where a row gives no channels (0)."""
        return c if width == 1 or not c else round_channels(c * width, self.divisor, self.guard)

    def layers(self, n: int, depth: float, *, end: bool) -> int:
        """`n` layers at a depth multiplier, rounded up; `end` says that the stage is the first or the last."""
        return n if end and not self.ends else math.ceil(n * depth - 1e-9)


def compound(phi: float, alpha: float = 1.2, beta: float = 1.1, gamma: float = 1.15) -> tuple[float, float, float]:
    """Depth, width and image multipliers of compound scaling: alpha^phi, beta^phi, gamma^phi.

    Source: Tan & Le 2019, equation 3; the shipped B1 to B7 are rounded by hand and are tables of their own.

    >>> compound(1)
    (1.2, 1.1, 1.15)
    """
    return alpha**phi, beta**phi, gamma**phi
