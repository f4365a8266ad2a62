"""MobileOne (Vasu 2023): convolutions trained as several branches, which are one convolution each in use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..errors import SettingError
from .spec import Arch, Classifier, Dropout, Operator, Pool, Stage, Style


@dataclass(frozen=True)
class MobileOneConv(Operator):
    """k x k convolution, `branches` times, and a 1 x 1 beside them: the stem.

    Counts are those of training, with all branches; `linnet.nn.fold.fold` makes the one convolution of them.
    """

    k: int = 3
    branches: int = 1
    folds: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check(self, self.branches)


@dataclass(frozen=True)
class MobileOne(Operator):
    """MobileOne block: depthwise 3 x 3, then 1 x 1, each `branches` times and with a batch norm of its input beside.

    The depthwise one has a 1 x 1 beside it too. The first layer of a row, which has the stride, has no such batch norm
    around its depthwise convolution; it is known by its stride or by the channels that it changes.
    """

    branches: int = 1
    units: ClassVar[int] = 2
    folds: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check(self, self.branches)


def _check(op: Operator, branches: int) -> None:
    if branches < 1:
        raise SettingError(f"{type(op).__name__}(branches={branches}) has nothing to sum: give 1 or more.")


# fmt: off
# The paper's table splits the row of 10 blocks into 5 and 5. The stem has one branch in the released code and in timm.
mobileone_s0 = Arch("mobileone_s0", image=224,                                        # Vasu 2023, MobileOne-S0
    style=Style(act="relu"), init="torch", source="arXiv 2206.04040; apple/ml-mobileone mobileone.py, s0",
    stem=(Stage(MobileOneConv(k=3),    48,  1, 2),),
    stages=(  # operator         channels layers stride
        Stage(MobileOne(branches=4),   48,  2, 2),
        Stage(MobileOne(branches=4),  128,  8, 2),
        Stage(MobileOne(branches=4),  256, 10, 2),
        Stage(MobileOne(branches=4), 1024,  1, 2)),
    head=(Pool(), Dropout(), Classifier()))

mobileone_s1 = Arch("mobileone_s1", image=224,                                        # Vasu 2023, MobileOne-S1
    style=Style(act="relu"), init="torch", source="arXiv 2206.04040; apple/ml-mobileone mobileone.py, s1",
    stem=(Stage(MobileOneConv(k=3),    64,  1, 2),),
    stages=(
        Stage(MobileOne(),             96,  2, 2),
        Stage(MobileOne(),            192,  8, 2),
        Stage(MobileOne(),            512, 10, 2),
        Stage(MobileOne(),           1280,  1, 2)),
    head=(Pool(), Dropout(), Classifier()))

mobileone_s2 = Arch("mobileone_s2", image=224,                                        # Vasu 2023, MobileOne-S2
    style=Style(act="relu"), init="torch", source="arXiv 2206.04040; apple/ml-mobileone mobileone.py, s2",
    stem=(Stage(MobileOneConv(k=3),    64,  1, 2),),
    stages=(
        Stage(MobileOne(),             96,  2, 2),
        Stage(MobileOne(),            256,  8, 2),
        Stage(MobileOne(),            640, 10, 2),
        Stage(MobileOne(),           2048,  1, 2)),
    head=(Pool(), Dropout(), Classifier()))
# fmt: on

ARCHS = (mobileone_s0, mobileone_s1, mobileone_s2)
