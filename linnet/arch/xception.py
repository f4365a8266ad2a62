"""Xception (Chollet 2017): Inception's modules taken to the extreme, depthwise separable convolutions with residuals.

In a separable convolution of this paper nothing stands between the depthwise and the pointwise part (section 4.7), unlike
in MobileNet's. In the flows each has its activation before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .spec import Arch, Classifier, Conv, Dropout, Operator, Pool, Stage, Style


@dataclass(frozen=True)
class EntryFlow(Operator):
    """Two separable 3 x 3, the first to the row's channels, and a maximum of 3 x 3 with the stride; a projected shortcut.

    `relu` puts an activation before the first one, too.
    """

    relu: bool = True
    units: ClassVar[int] = 1


@dataclass(frozen=True)
class MiddleFlow(Operator):
    """Three times activation and separable 3 x 3, added to the input."""

    units: ClassVar[int] = 1


@dataclass(frozen=True)
class ExitFlow(Operator):
    """EntryFlow, but that its second separable convolution changes the channels."""

    units: ClassVar[int] = 1


@dataclass(frozen=True)
class SeparableConv(Operator):
    """Depthwise 3 x 3, pointwise, norm, activation, with nothing between the two convolutions."""


# fmt: off
legacy_xception = Arch("legacy_xception", image=299,                                           # Chollet 2017, Figure 5
    style=Style(act="relu"), source="arXiv 1610.02357, Figure 5",
    stem=(
        Stage(Conv(k=3, pad=0),        32, 1, 2),
        Stage(Conv(k=3, pad=0),        64, 1, 1)),
    stages=(  # operator         channels layers stride
        Stage(EntryFlow(relu=False),  128, 1, 2),
        Stage(EntryFlow(),            256, 1, 2),
        Stage(EntryFlow(),            728, 1, 2),
        Stage(MiddleFlow(),           728, 8, 1),
        Stage(ExitFlow(),            1024, 1, 2),
        Stage(SeparableConv(),       1536, 1, 1),
        Stage(SeparableConv(),       2048, 1, 1)),
    head=(Pool(), Dropout(), Classifier()))
# fmt: on

ARCHS: tuple[Arch, ...] = (legacy_xception,)

ALIASES = {"xception": "legacy_xception"}  # as Keras calls it, and timm before it had others of that name
