"""Modules of SqueezeNet's operators: Fire and ConvClassifier."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..arch.spec import Layer
from ..arch.squeezenet import ConvClassifier, Fire
from .conv import ConvNorm
from .module import module


class FireModule(nn.Module):
    """Squeeze, then two expansions one after another in the channels: [B, cin, H, W] -> [B, cout, H, W]."""

    def __init__(self, layer: Layer, squeeze: int) -> None:
        super().__init__()
        half, style = layer.cout // 2, layer.style
        self.squeeze = ConvNorm(layer.cin, squeeze, 1, style)
        self.expand1 = ConvNorm(squeeze, half, 1, style)
        self.expand3 = ConvNorm(squeeze, layer.cout - half, 3, style, dilation=layer.dilation)

    def forward(self, x: Tensor) -> Tensor:
        x = self.squeeze(x)
        return torch.cat([self.expand1(x), self.expand3(x)], 1)


@module.register
def _(op: Fire, layer: Layer) -> nn.Module:
    return FireModule(layer, op.squeeze)


@module.register
def _(op: ConvClassifier, layer: Layer) -> nn.Module:
    return ConvNorm(layer.cin, op.classes, 1, layer.style) if op.classes else nn.Identity()
