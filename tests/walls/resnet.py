"""ResNet (He 2016): bottlenecks, whose strides can turn into dilation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from linnet.arch.spec import Arch, Classifier, Conv, Layer, MaxPool, Operator, Pool, Stage, Style
from linnet.nn.conv import ConvNorm, DropPath, activation
from linnet.nn.mobilenet import keeps_shape
from linnet.nn.module import module


@dataclass(frozen=True)
class Bottleneck(Operator):
    """1 x 1 to a quarter of the row's channels, 3 x 3 with the stride, 1 x 1; a projection where the shape changes."""

    units: ClassVar[int] = 1


# fmt: off
resnet50 = Arch("resnet50", image=224,                                                           # He 2016, Table 1
    style=Style(act="relu"), source="arXiv 1512.03385, Table 1; the stride in the 3 x 3 (v1.5)",
    stem=(Stage(Conv(k=7),       64, 1, 2),
          Stage(MaxPool(k=3),     0, 1, 2)),
    stages=(  # operator   channels layers stride
        Stage(Bottleneck(),     256, 3, 1),
        Stage(Bottleneck(),     512, 4, 2),
        Stage(Bottleneck(),    1024, 6, 2),
        Stage(Bottleneck(),    2048, 3, 2)),
    head=(Pool(), Classifier()))
# fmt: on


class ResidualBottleneck(nn.Module):
    """[B, cin, H, W] -> [B, cout, ceil(H / stride), ...]."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        style, mid = layer.style, layer.cout // 4
        self.squeeze = ConvNorm(layer.cin, mid, 1, style)
        self.spatial = ConvNorm(mid, mid, 3, style, stride=layer.stride, dilation=layer.dilation)
        self.expand = ConvNorm(mid, layer.cout, 1, style, act="identity")
        self.shortcut = (
            nn.Identity()
            if keeps_shape(layer)
            else ConvNorm(layer.cin, layer.cout, 1, style, stride=layer.stride, act="identity")
        )
        self.drop_path, self.act = DropPath(), activation(style.act)

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.shortcut(x) + self.drop_path(self.expand(self.spatial(self.squeeze(x)))))


@module.register
def _(op: Bottleneck, layer: Layer) -> nn.Module:
    return ResidualBottleneck(layer)
