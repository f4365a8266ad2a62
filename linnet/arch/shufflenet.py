"""ShuffleNet V1 (Zhang 2018) and V2 (Ma 2018)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from ..errors import SettingError
from .scale import Scaling
from .spec import Arch, Classifier, Conv, MaxPool, Operator, Pool, Stage, Style


@dataclass(frozen=True)
class Shuffle(Operator):
    """V1's unit: grouped 1 x 1 to a quarter, shuffle, depthwise 3 x 3, grouped 1 x 1; `first` leaves the first ungrouped.

    With a stride, the average of the input is concatenated rather than the input added.
    """

    g: int
    first: bool = False
    units: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if self.g < 1:
            raise SettingError(f"Shuffle(g={self.g}) has no groups: give 1 or more.")


@dataclass(frozen=True)
class ShuffleV2(Operator):
    """V2's unit: half of the channels pass as they are, the others through 1 x 1, depthwise 3 x 3, 1 x 1; then a shuffle.

    A unit with a stride has no such split: both its branches see the whole input. There is nothing to add, so drop path
    has nothing to drop.
    """


# fmt: off
shufflenet_v1_g3 = Arch("shufflenet_v1_g3", image=224,                                         # Zhang 2018, Table 1
    style=Style(act="relu"), scaling=Scaling(divisor=12), source="arXiv 1707.01083, Table 1, g = 3",
    stem=(Stage(Conv(k=3),               24, 1, 2),
          Stage(MaxPool(k=3),             0, 1, 2)),
    stages=(  # operator           channels layers stride
        Stage(Shuffle(g=3, first=True), 240, 1, 2),
        Stage(Shuffle(g=3),             240, 3, 1),
        Stage(Shuffle(g=3),             480, 8, 2),
        Stage(Shuffle(g=3),             960, 4, 2)),
    head=(Pool(), Classifier()))

shufflenet_v1_g8 = replace(shufflenet_v1_g3, name="shufflenet_v1_g8",                          # Zhang 2018, Table 1
    scaling=Scaling(divisor=32, stem=False), source="arXiv 1707.01083, Table 1, g = 8",
    stages=(
        Stage(Shuffle(g=8, first=True), 384, 1, 2),
        Stage(Shuffle(g=8),             384, 3, 1),
        Stage(Shuffle(g=8),             768, 8, 2),
        Stage(Shuffle(g=8),            1536, 4, 2)))

# Counted (tests/golden) with the stem's 24 channels. megvii's code doubles them too: 5,450,776 parameters, 524,045,184
# multiply-adds, which are the paper's 524 M.
shufflenet_v1_x2_0_g3 = replace(shufflenet_v1_g3.scaled("shufflenet_v1_x2_0_g3", width=2),     # Zhang 2018, section 4.1
    source="arXiv 1707.01083, Table 1 at 2x, g = 3", stem=shufflenet_v1_g3.stem)

shufflenet_v2_x1_0 = Arch("shufflenet_v2_x1_0", image=224,                                     # Ma 2018, Table 5
    style=Style(act="relu"), init="torch", scaling=Scaling(divisor=4, stem=False, head="fixed"),
    source="arXiv 1807.11164, Table 5, 1x",
    stem=(Stage(Conv(k=3),               24, 1, 2),
          Stage(MaxPool(k=3),             0, 1, 2)),
    stages=(  # operator           channels layers stride
        Stage(ShuffleV2(),              116, 4, 2),
        Stage(ShuffleV2(),              232, 8, 2),
        Stage(ShuffleV2(),              464, 4, 2)),
    head=(Conv(1024, k=1), Pool(), Classifier()))

# Table 5's other columns: stages 2 to 4, the last convolution. No multiplier gives them.
_V2 = {"x0_5": ( 48,  96, 192, 1024),
       "x1_5": (176, 352, 704, 1024),
       "x2_0": (244, 488, 976, 2048)}
# fmt: on


def _v2(size: str, widths: tuple[int, ...]) -> Arch:
    base = shufflenet_v2_x1_0
    stages = tuple(replace(stage, channels=c) for stage, c in zip(base.stages, widths[:3], strict=True))
    source = f"arXiv 1807.11164, Table 5, {size.replace('_', '.')}"
    head = (Conv(widths[3], k=1), *base.head[1:])
    return replace(base, name=f"shufflenet_v2_{size}", source=source, stages=stages, head=head)


ARCHS = (
    shufflenet_v1_g3,
    shufflenet_v1_g8,
    shufflenet_v1_x2_0_g3,
    shufflenet_v2_x1_0,
    *(_v2(size, widths) for size, widths in _V2.items()),
)

ALIASES: dict[str, str] = {
    "shufflenet_v1": "shufflenet_v1_g3",
    "shufflenet_v1_x1_0_g3": "shufflenet_v1_g3",
    "shufflenet_v1_x1_0_g8": "shufflenet_v1_g8",
    "shufflenet_v2": "shufflenet_v2_x1_0",
    "shufflenetv2": "shufflenet_v2_x1_0",
    **{f"shufflenetv2_{size}": f"shufflenet_v2_{size}" for size in ("x0_5", "x1_0", "x1_5", "x2_0")},
}
