"""SqueezeNet (Iandola 2016): fire modules, pools that round up, and a convolution for a classifier, above the pooling."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from linnet.arch.spec import (
    Arch,
    Classifier,
    Conv,
    Dropout,
    Layer,
    MaxPool,
    Operator,
    Pool,
    Scaling,
    Size,
    Stage,
    Style,
)
from linnet.nn.conv import ConvNorm
from linnet.nn.module import module


@dataclass(frozen=True)
class Fire(Operator):
    """Squeeze 1 x 1, then 1 x 1 and 3 x 3 side by side, half of the row's channels each."""

    squeeze: int

    def widened(self, cin: int, wide: int, scaling: Scaling) -> Fire:
        return replace(self, squeeze=scaling.channels(self.squeeze, wide / cin))


@dataclass(frozen=True)
class ConvClassifier(Classifier):
    """1 x 1 convolution and activation: logits of every pixel, which the Pool below averages."""

    def out_size(self, size: Size, stride: int, dilation: int) -> Size:
        return size


_pool = Stage(MaxPool(k=3, pad=0, ceil=True), 0, 1, 2)

# fmt: off
squeezenet1_1 = Arch("squeezenet1_1", image=224,                                 # Iandola 2016; forresti/SqueezeNet v1.1
    style=Style(act="relu", norm="none"), source="github.com/forresti/SqueezeNet, SqueezeNet_v1.1",
    stem=(Stage(Conv(k=3, pad=0), 64, 1, 2), _pool),
    stages=(  # operator    channels layers stride
        Stage(Fire(squeeze=16), 128, 2, 1), _pool,
        Stage(Fire(squeeze=32), 256, 2, 1), _pool,
        Stage(Fire(squeeze=48), 384, 2, 1),
        Stage(Fire(squeeze=64), 512, 2, 1)),
    head=(Dropout(), ConvClassifier(), Pool()))
# fmt: on


class FireModule(nn.Module):
    """[B, cin, H, W] -> [B, cout, H, W]."""

    def __init__(self, layer: Layer, squeeze: int) -> None:
        super().__init__()
        self.squeeze = ConvNorm(layer.cin, squeeze, 1, layer.style)
        self.expand1 = ConvNorm(squeeze, layer.cout // 2, 1, layer.style)
        self.expand3 = ConvNorm(squeeze, layer.cout - layer.cout // 2, 3, layer.style, dilation=layer.dilation)

    def forward(self, x: Tensor) -> Tensor:
        x = self.squeeze(x)
        return torch.cat([self.expand1(x), self.expand3(x)], 1)


@module.register
def _(op: Fire, layer: Layer) -> nn.Module:
    return FireModule(layer, op.squeeze)


@module.register
def _(op: ConvClassifier, layer: Layer) -> nn.Module:
    return ConvNorm(layer.cin, op.classes, 1, layer.style) if op.classes else nn.Identity()
