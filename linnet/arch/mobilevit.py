"""MobileViT (Mehta & Rastegari 2022) and MobileViTv2 (Mehta & Rastegari 2023)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from ..errors import SettingError
from .mobilenet import MBConv
from .scale import Scaling
from .spec import Arch, Classifier, Conv, Dropout, Operator, Pool, Size, Stage, Style


@dataclass(frozen=True)
class MobileViT(Operator):
    """3 x 3, 1 x 1 to width `d`, `depth` transformer layers, 1 x 1 back, and 3 x 3 over that and the input together.

    A pixel attends to those at the same place in the other patches of `patch` x `patch` pixels (MobileViT, Figure 1b).
    A map that patches do not divide is resized to one that they do, and back.
    """

    d: int
    depth: int
    patch: int = 2
    heads: int = 4
    mlp: float = 2.0
    units: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if self.d % self.heads:
            raise SettingError(f"MobileViT's d is {self.d}: give a multiple of its {self.heads} heads.")

    def widened(self, cin: int, wide: int, scaling: Scaling) -> MobileViT:
        return replace(self, d=scaling.channels(self.d, wide / cin))


@dataclass(frozen=True)
class MobileViTv2(Operator):
    """Depthwise 3 x 3, 1 x 1 to width `d`, `depth` layers of separable self-attention, 1 x 1 back; nothing is added.

    A map that patches do not divide is resized up, and stays so (MobileViTv2, section 3 and the released code).
    """

    d: int
    depth: int
    patch: int = 2
    mlp: float = 2.0
    units: ClassVar[int] = 1

    def out_size(self, size: Size, stride: int, dilation: int) -> Size:
        return tuple(n + -n % self.patch for n in size)

    def widened(self, cin: int, wide: int, scaling: Scaling) -> MobileViTv2:
        return replace(self, d=scaling.channels(self.d, wide / cin))


# fmt: off
mobilevit_s = Arch("mobilevit_s", image=256,                                                  # Mehta 2022, Table 4
    style=Style(act="silu"), source="arXiv 2110.02178, Table 4",
    stem=(Stage(Conv(k=3),                 16, 1, 2),),
    stages=(  # operator             channels layers stride
        Stage(MBConv(t=4, k=3),            32, 1, 1),
        Stage(MBConv(t=4, k=3),            64, 3, 2),
        Stage(MBConv(t=4, k=3),            96, 1, 2),
        Stage(MobileViT(d=144, depth=2),   96, 1, 1),
        Stage(MBConv(t=4, k=3),           128, 1, 2),
        Stage(MobileViT(d=192, depth=4),  128, 1, 1),
        Stage(MBConv(t=4, k=3),           160, 1, 2),
        Stage(MobileViT(d=240, depth=3),  160, 1, 1)),
    head=(Conv(640, k=1), Pool(), Dropout(), Classifier()),
    taps=("stages.0", "stages.1", "stages.3", "stages.5", "head.conv"))   # the last convolution counts, as in timm

mobilevit_xs = replace(mobilevit_s, name="mobilevit_xs",
    stages=(
        Stage(MBConv(t=4, k=3),            32, 1, 1),
        Stage(MBConv(t=4, k=3),            48, 3, 2),
        Stage(MBConv(t=4, k=3),            64, 1, 2),
        Stage(MobileViT(d=96, depth=2),    64, 1, 1),
        Stage(MBConv(t=4, k=3),            80, 1, 2),
        Stage(MobileViT(d=120, depth=4),   80, 1, 1),
        Stage(MBConv(t=4, k=3),            96, 1, 2),
        Stage(MobileViT(d=144, depth=3),   96, 1, 1)),
    head=(Conv(384, k=1), Pool(), Dropout(), Classifier()))

mobilevit_xxs = replace(mobilevit_s, name="mobilevit_xxs",
    stages=(
        Stage(MBConv(t=2, k=3),            16, 1, 1),
        Stage(MBConv(t=2, k=3),            24, 3, 2),
        Stage(MBConv(t=2, k=3),            48, 1, 2),
        Stage(MobileViT(d=64, depth=2),    48, 1, 1),
        Stage(MBConv(t=2, k=3),            64, 1, 2),
        Stage(MobileViT(d=80, depth=4),    64, 1, 1),
        Stage(MBConv(t=2, k=3),            80, 1, 2),
        Stage(MobileViT(d=96, depth=3),    80, 1, 1)),
    head=(Conv(320, k=1), Pool(), Dropout(), Classifier()))

mobilevitv2_100 = Arch("mobilevitv2_100", image=256,                          # Mehta 2023; cvnets config/mobilevit_v2.py
    style=Style(act="silu"), source="arXiv 2206.02680; rows as in apple/ml-cvnets config/mobilevit_v2.py",
    stem=(Stage(Conv(k=3),                  32, 1, 2),),
    stages=(  # operator              channels layers stride
        Stage(MBConv(t=2, k=3),             64, 1, 1),
        Stage(MBConv(t=2, k=3),            128, 2, 2),
        Stage(MBConv(t=2, k=3),            256, 1, 2),
        Stage(MobileViTv2(d=128, depth=2), 256, 1, 1),
        Stage(MBConv(t=2, k=3),            384, 1, 2),
        Stage(MobileViTv2(d=192, depth=4), 384, 1, 1),
        Stage(MBConv(t=2, k=3),            512, 1, 2),
        Stage(MobileViTv2(d=256, depth=3), 512, 1, 1)),
    head=(Pool(), Dropout(), Classifier()))
# fmt: on

_V2_WIDTHS = (50, 75, 100, 125, 150, 175, 200)  # per cent

ARCHS = (
    mobilevit_xxs,
    mobilevit_xs,
    mobilevit_s,
    *(mobilevitv2_100.scaled(f"mobilevitv2_{w:03d}", width=w / 100) for w in _V2_WIDTHS),
)
ALIASES: dict[str, str] = {  # Apple's names on the Hugging Face hub
    "mobilevit_xx_small": "mobilevit_xxs",
    "mobilevit_x_small": "mobilevit_xs",
    "mobilevit_small": "mobilevit_s",
    "mobilevitv2_0_5": "mobilevitv2_050",
    "mobilevitv2_0_75": "mobilevitv2_075",
    "mobilevitv2_1_0": "mobilevitv2_100",
    "mobilevitv2_1_25": "mobilevitv2_125",
    "mobilevitv2_1_5": "mobilevitv2_150",
    "mobilevitv2_1_75": "mobilevitv2_175",
    "mobilevitv2_2_0": "mobilevitv2_200",
}
