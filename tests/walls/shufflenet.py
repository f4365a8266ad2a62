"""ShuffleNetV1 (Zhang 2018): grouped 1 x 1 convolutions, a shuffle between them, and strides that concatenate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from linnet.arch.spec import Arch, Classifier, Conv, Layer, MaxPool, Operator, Pool, Scaling, Stage, Style
from linnet.nn.conv import ConvNorm, DropPath
from linnet.nn.module import module


@dataclass(frozen=True)
class Shuffle(Operator):
    """Grouped 1 x 1 to a quarter, shuffle, depthwise 3 x 3, grouped 1 x 1; `first` leaves the first one ungrouped.

    With a stride, the average of the input is concatenated rather than the input added.
    """

    g: int
    first: bool = False
    units: ClassVar[int] = 1


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
# fmt: on


class ShuffleUnit(nn.Module):
    """[B, cin, H, W] -> [B, cout, ceil(H / stride), ...]; Zhang 2018, Figure 2b and 2c."""

    def __init__(self, layer: Layer, g: int, *, first: bool) -> None:
        super().__init__()
        style, mid = layer.style, layer.cout // 4
        self.g, self.adds = g, layer.stride == 1 and layer.cin == layer.cout
        cout = layer.cout if self.adds else layer.cout - layer.cin
        self.squeeze = ConvNorm(layer.cin, mid, 1, style, groups=1 if first else g)
        self.depthwise = ConvNorm(mid, mid, 3, style, stride=layer.stride, groups=mid, dilation=layer.dilation,
                                  act="identity")  # fmt: skip
        self.project = ConvNorm(mid, cout, 1, style, groups=g, act="identity")
        self.pool = nn.Identity() if layer.stride == 1 else nn.AvgPool2d(3, layer.stride, 1)
        self.drop_path = DropPath()

    def forward(self, x: Tensor) -> Tensor:
        y = nn.functional.channel_shuffle(self.squeeze(x), self.g)
        y = self.project(self.depthwise(y))
        if self.adds:
            return (x + self.drop_path(y)).relu()
        return torch.cat([self.pool(x), y], 1).relu()


@module.register
def _(op: Shuffle, layer: Layer) -> nn.Module:
    return ShuffleUnit(layer, op.g, first=op.first)
