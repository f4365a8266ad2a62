"""Modules of the plain stacks' operators: BiasedConv, GridPool, ResponseNorm, Subsample."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..arch.spec import Layer
from ..arch.vgg import BiasedConv, GridPool, ResponseNorm, Subsample
from .conv import ConvNorm
from .module import module


class GridPooling(nn.Module):
    """Averages of k x k cells, which overlap where k does not divide the size: [B, C, H, W] -> [B, C * k * k]."""

    def __init__(self, k: int) -> None:
        super().__init__()
        self.k = k

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[2:] != (self.k, self.k):
            x = F.adaptive_avg_pool2d(x, self.k)
        return x.flatten(1)

    def extra_repr(self) -> str:
        return f"k={self.k}"


@module.register
def _(op: BiasedConv, layer: Layer) -> nn.Module:
    conv = ConvNorm(layer.cin, layer.cout, op.k, layer.style, stride=layer.stride, groups=op.groups,
                    dilation=layer.dilation, pad=op.pad, act=op.act)  # fmt: skip
    if conv.bias is None:
        conv.bias = nn.Parameter(torch.zeros(layer.cout))
    return conv


@module.register
def _(op: GridPool, layer: Layer) -> nn.Module:
    return GridPooling(op.k)


@module.register
def _(op: ResponseNorm, layer: Layer) -> nn.Module:
    # PyTorch multiplies alpha with the mean of the n squares, the paper with their sum.
    return nn.LocalResponseNorm(op.n, op.alpha * op.n, op.beta, op.k)


@module.register
def _(op: Subsample, layer: Layer) -> nn.Module:
    return nn.AvgPool2d(op.k, layer.stride)
