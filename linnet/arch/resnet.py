"""ResNet (He 2016), ResNet-D (He 2019), ResNeXt (Xie 2017), SE-ResNet (Hu 2018)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from .spec import Arch, Classifier, Conv, MaxPool, Operator, Pool, Stage, Style


@dataclass(frozen=True)
class BasicBlock(Operator):
    """Two 3 x 3, the first with the stride, and a shortcut, projected where the shape changes (He 2016, Figure 5).

    `se` is the width of squeeze-and-excitation as a part of the block's *output* channels, rounded to 8 (Hu 2018). A
    `pooled` shortcut averages 2 x 2 and then projects without a stride, so that it loses no pixel (He 2019, Figure 2c);
    where its stride has become dilation it averages all the same, as timm's does.
    """

    se: float = 0.0
    pooled: bool = False
    units: ClassVar[int] = 1


@dataclass(frozen=True)
class Bottleneck(Operator):
    """1 x 1, 3 x 3 with the stride (v1.5; the paper has it in the first), 1 x 1 to four times as many, and a shortcut.

    The 3 x 3 has `groups` groups of `width` channels each in a row of 256, and in proportion in others (Xie 2017,
    Table 1: C x d). `se` and `pooled` are those of BasicBlock.
    """

    groups: int = 1
    width: int = 64
    se: float = 0.0
    pooled: bool = False
    units: ClassVar[int] = 1

    def inner(self, channels: int) -> int:
        """Channels of the 3 x 3 in a row of `channels`.

        >>> Bottleneck().inner(256), Bottleneck(groups=32, width=4).inner(512)
        (64, 256)
        """
        return max(1, channels // 4 * self.width // 64) * self.groups


# fmt: off
_stem = (Stage(Conv(k=7), 64, 1, 2), Stage(MaxPool(k=3), 0, 1, 2))
_head = (Pool(), Classifier())

resnet18 = Arch("resnet18", image=224, style=Style(act="relu"), stem=_stem, head=_head,               # He 2016, Table 1
    source="arXiv 1512.03385, Table 1",
    stages=(  # operator                  channels layers stride
        Stage(BasicBlock(),                    64,  2, 1),
        Stage(BasicBlock(),                   128,  2, 2),
        Stage(BasicBlock(),                   256,  2, 2),
        Stage(BasicBlock(),                   512,  2, 2)))

resnet34 = replace(resnet18, name="resnet34",                                                         # He 2016, Table 1
    stages=(
        Stage(BasicBlock(),                    64,  3, 1),
        Stage(BasicBlock(),                   128,  4, 2),
        Stage(BasicBlock(),                   256,  6, 2),
        Stage(BasicBlock(),                   512,  3, 2)))

resnet50 = Arch("resnet50", image=224, style=Style(act="relu"), stem=_stem, head=_head,               # He 2016, Table 1
    source="arXiv 1512.03385, Table 1; the stride in the 3 x 3 (v1.5)",
    stages=(
        Stage(Bottleneck(),                   256,  3, 1),
        Stage(Bottleneck(),                   512,  4, 2),
        Stage(Bottleneck(),                  1024,  6, 2),
        Stage(Bottleneck(),                  2048,  3, 2)))

resnet101 = replace(resnet50, name="resnet101",                                                       # He 2016, Table 1
    stages=(
        Stage(Bottleneck(),                   256,  3, 1),
        Stage(Bottleneck(),                   512,  4, 2),
        Stage(Bottleneck(),                  1024, 23, 2),
        Stage(Bottleneck(),                  2048,  3, 2)))

resnet152 = replace(resnet50, name="resnet152",                                                       # He 2016, Table 1
    stages=(
        Stage(Bottleneck(),                   256,  3, 1),
        Stage(Bottleneck(),                   512,  8, 2),
        Stage(Bottleneck(),                  1024, 36, 2),
        Stage(Bottleneck(),                  2048,  3, 2)))

resnet50d = replace(resnet50, name="resnet50d",                                         # He 2019, section 4.2, Figure 2
    source="arXiv 1812.01187, Figure 2c (ResNet-D), with the stem of Figure 2b (ResNet-C)",
    stem=(
        Stage(Conv(k=3),                       32,  2, 2),
        Stage(Conv(k=3),                       64,  1, 1),
        Stage(MaxPool(k=3),                     0,  1, 2)),
    stages=(
        Stage(Bottleneck(),                   256,  3, 1),   # no stride, so nothing to average
        Stage(Bottleneck(pooled=True),        512,  4, 2),
        Stage(Bottleneck(pooled=True),       1024,  6, 2),
        Stage(Bottleneck(pooled=True),       2048,  3, 2)))

resnext50_32x4d = replace(resnet50, name="resnext50_32x4d",                                           # Xie 2017, Table 1
    source="arXiv 1611.05431, Table 1",
    stages=(  #           C         d
        Stage(Bottleneck(groups=32, width=4),  256,  3, 1),
        Stage(Bottleneck(groups=32, width=4),  512,  4, 2),
        Stage(Bottleneck(groups=32, width=4), 1024,  6, 2),
        Stage(Bottleneck(groups=32, width=4), 2048,  3, 2)))

seresnet50 = replace(resnet50, name="seresnet50",                                                     # Hu 2018, Table 1
    source="arXiv 1709.01507, Table 1; r = 16 as in section 4",
    stages=(
        Stage(Bottleneck(se=1 / 16),          256,  3, 1),
        Stage(Bottleneck(se=1 / 16),          512,  4, 2),
        Stage(Bottleneck(se=1 / 16),         1024,  6, 2),
        Stage(Bottleneck(se=1 / 16),         2048,  3, 2)))
# fmt: on

ARCHS = (resnet18, resnet34, resnet50, resnet101, resnet152, resnet50d, resnext50_32x4d, seresnet50)

ALIASES = {
    **{f"resnet_{n}": f"resnet{n}" for n in (18, 34, 50, 101, 152)},
    "resnet_50_d": "resnet50d",
    "resnet50_d": "resnet50d",
    "resnext50": "resnext50_32x4d",
    "resnext_50": "resnext50_32x4d",
    "resnext_50_32x4d": "resnext50_32x4d",
    "se_resnet50": "seresnet50",
    "se_resnet_50": "seresnet50",
}
