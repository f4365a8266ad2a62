"""Modules of DenseNet's operators: Dense, Transition."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..arch.densenet import Dense, Transition
from ..arch.spec import Layer
from .conv import ConvNorm, activation, norm
from .module import module
from .undrawn import Conv2d


class DenseLayer(nn.Module):
    """[B, cin, H, W] -> [B, cin + growth, H, W], the input first: Huang 2017, section 3 (DenseNet-B).

    The norm in front sees channels that other layers read as well, so it belongs to no convolution and cannot be folded;
    the one between the two convolutions belongs to `squeeze`.
    """

    def __init__(self, layer: Layer, growth: int) -> None:
        super().__init__()
        self.norm, self.act = norm(layer.cin, layer.style), activation(layer.style.act)
        self.squeeze = ConvNorm(layer.cin, 4 * growth, 1, layer.style)
        self.grow = Conv2d(4 * growth, growth, 3, padding=layer.dilation, dilation=layer.dilation, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.grow(self.squeeze(self.act(self.norm(x))))], 1)


class HalvingTransition(nn.Module):
    """[B, C, H, W] -> [B, C / 2, H / 2, W / 2]: Huang 2017, section 3; the same size where the stride became dilation."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.norm, self.act = norm(layer.cin, layer.style), activation(layer.style.act)
        self.squeeze = Conv2d(layer.cin, layer.cout, 1, bias=False)
        self.pool = nn.AvgPool2d(layer.stride) if layer.stride > 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.pool(self.squeeze(self.act(self.norm(x))))


@module.register
def _(op: Dense, layer: Layer) -> nn.Module:
    return DenseLayer(layer, op.growth)


@module.register
def _(op: Transition, layer: Layer) -> nn.Module:
    return HalvingTransition(layer)
