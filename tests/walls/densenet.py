"""DenseNet (Huang 2017): every layer adds `growth` channels to its input; a transition halves channels and size."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from linnet.arch.spec import Arch, Classifier, Conv, Layer, MaxPool, Norm, Operator, Pool, Scaling, Size, Stage, Style
from linnet.nn.conv import activation, norm
from linnet.nn.module import module


@dataclass(frozen=True)
class Dense(Operator):
    """Norm, 1 x 1 to 4 x growth, norm, 3 x 3 to growth, appended to the input."""

    growth: int = 32

    def out_channels(self, cin: int, channels: int, size: Size) -> int:
        return cin + self.growth

    def widened(self, cin: int, wide: int, scaling: Scaling) -> Dense:
        return replace(self, growth=scaling.channels(self.growth, wide / cin))


@dataclass(frozen=True)
class Transition(Operator):
    """Norm, 1 x 1 to half the channels, average of 2 x 2."""

    def out_size(self, size: Size, stride: int, dilation: int) -> Size:
        return tuple(n // stride for n in size)

    def out_channels(self, cin: int, channels: int, size: Size) -> int:
        return cin // 2


# fmt: off
densenet121 = Arch("densenet121", image=224,                                                   # Huang 2017, Table 1
    style=Style(act="relu"), source="arXiv 1608.06993, Table 1",
    stem=(Stage(Conv(k=7),      64,  1, 2),
          Stage(MaxPool(k=3),    0,  1, 2)),
    stages=(  # operator   channels layers stride
        Stage(Dense(growth=32),  0,  6, 1),
        Stage(Transition(),      0,  1, 2),
        Stage(Dense(growth=32),  0, 12, 1),
        Stage(Transition(),      0,  1, 2),
        Stage(Dense(growth=32),  0, 24, 1),
        Stage(Transition(),      0,  1, 2),
        Stage(Dense(growth=32),  0, 16, 1)),
    head=(Norm(norm="batch", act="relu"), Pool(), Classifier()))
# fmt: on


class NormConv(nn.Conv2d):
    """Norm, activation, convolution: the pre-activation order."""

    def __init__(self, cin: int, cout: int, k: int, layer: Layer) -> None:
        super().__init__(cin, cout, k, 1, layer.dilation * (k // 2), layer.dilation, bias=False)
        self.norm, self.act = norm(cin, layer.style), activation(layer.style.act)

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(self.act(self.norm(input)))


class DenseLayer(nn.Module):
    """[B, cin, H, W] -> [B, cin + growth, H, W]."""

    def __init__(self, layer: Layer, growth: int) -> None:
        super().__init__()
        self.squeeze = NormConv(layer.cin, 4 * growth, 1, layer)
        self.grow = NormConv(4 * growth, growth, 3, layer)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.grow(self.squeeze(x))], 1)


class HalvingTransition(nn.Module):
    """[B, C, H, W] -> [B, C / 2, H / 2, W / 2], or the same size where the stride was turned into dilation."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.squeeze = NormConv(layer.cin, layer.cout, 1, layer)
        self.pool = nn.AvgPool2d(layer.stride)

    def forward(self, x: Tensor) -> Tensor:
        return self.pool(self.squeeze(x))


@module.register
def _(op: Dense, layer: Layer) -> nn.Module:
    return DenseLayer(layer, op.growth)


@module.register
def _(op: Transition, layer: Layer) -> nn.Module:
    return HalvingTransition(layer)
