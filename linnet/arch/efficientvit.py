"""EfficientViT of MIT (Cai 2023): ReLU linear attention over two scales, whose cost is linear in the pixels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from ..errors import SettingError
from .mobilenet import MBConv, SepConv
from .spec import Arch, Classifier, Conv, Dropout, Linear, Operator, Pool, Stage, Style


@dataclass(frozen=True)
class FewerNorm(Operator):
    """MBConv with biases in place of its first two norms: the `fewer_norm` of the released code."""

    t: float
    units: ClassVar[int] = 1


@dataclass(frozen=True)
class EfficientViT(Operator):
    """The EfficientViT module: linear attention with heads of `dim` channels for context, a FewerNorm block for detail.

    Each adds its input. There are as many heads as fit into the channels, but one at least.
    """

    dim: int
    t: float
    units: ClassVar[int] = 2

    def __post_init__(self) -> None:
        if self.dim < 1:
            raise SettingError(f"EfficientViT(dim={self.dim}) has heads without channels: give 1 or more.")

    def heads(self, channels: int) -> int:
        return max(1, channels // self.dim)


# fmt: off
efficientvit_b0 = Arch("efficientvit_b0", image=224,                                  # Cai 2023, EfficientViT-B0
    style=Style(act="hswish"), init="trunc",
    source="arXiv 2205.14756; mit-han-lab/efficientvit backbone.py, efficientvit_backbone_b0",
    stem=(Stage(Conv(k=3),                   8, 1, 2),
          Stage(SepConv(k=3, linear=True),   8, 1, 1)),
    stages=(  # operator           channels layers stride
        Stage(MBConv(t=4, k=3),             16, 2, 2),
        Stage(MBConv(t=4, k=3),             32, 2, 2),
        Stage(FewerNorm(t=4),               64, 1, 2),
        Stage(EfficientViT(dim=16, t=4),    64, 2, 1),
        Stage(FewerNorm(t=4),              128, 1, 2),
        Stage(EfficientViT(dim=16, t=4),   128, 2, 1)),
    head=(Conv(1024, k=1), Pool(), Linear(1280, norm="layer"), Dropout(), Classifier()),
    taps=("stages.0", "stages.1", "stages.3", "stages.5"))

efficientvit_b1 = replace(efficientvit_b0, name="efficientvit_b1",                    # Cai 2023, EfficientViT-B1
    source="arXiv 2205.14756; mit-han-lab/efficientvit backbone.py, efficientvit_backbone_b1",
    stem=(Stage(Conv(k=3),                  16, 1, 2),
          Stage(SepConv(k=3, linear=True),  16, 1, 1)),
    stages=(
        Stage(MBConv(t=4, k=3),             32, 2, 2),
        Stage(MBConv(t=4, k=3),             64, 3, 2),
        Stage(FewerNorm(t=4),              128, 1, 2),
        Stage(EfficientViT(dim=16, t=4),   128, 3, 1),
        Stage(FewerNorm(t=4),              256, 1, 2),
        Stage(EfficientViT(dim=16, t=4),   256, 4, 1)),
    head=(Conv(1536, k=1), Pool(), Linear(1600, norm="layer"), Dropout(), Classifier()))

efficientvit_b2 = replace(efficientvit_b0, name="efficientvit_b2",                    # Cai 2023, EfficientViT-B2
    source="arXiv 2205.14756; mit-han-lab/efficientvit backbone.py, efficientvit_backbone_b2",
    stem=(Stage(Conv(k=3),                  24, 1, 2),
          Stage(SepConv(k=3, linear=True),  24, 1, 1)),
    stages=(
        Stage(MBConv(t=4, k=3),             48, 3, 2),
        Stage(MBConv(t=4, k=3),             96, 4, 2),
        Stage(FewerNorm(t=4),              192, 1, 2),
        Stage(EfficientViT(dim=32, t=4),   192, 4, 1),
        Stage(FewerNorm(t=4),              384, 1, 2),
        Stage(EfficientViT(dim=32, t=4),   384, 6, 1)),
    head=(Conv(2304, k=1), Pool(), Linear(2560, norm="layer"), Dropout(), Classifier()))
# fmt: on

ARCHS = (efficientvit_b0, efficientvit_b1, efficientvit_b2)
