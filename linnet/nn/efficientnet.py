"""Module of EfficientNetV2's operator: FusedMBConv."""

from __future__ import annotations

from torch import Tensor, nn

from ..arch.efficientnet import FusedMBConv
from ..arch.spec import Layer
from .conv import ConvNorm, DropPath
from .mobilenet import keeps_shape
from .module import module


class FusedInvertedResidual(nn.Module):
    """k x k expansion, 1 x 1 projection, and the input added where the shape allows: Tan & Le 2021, Figure 2.

    With t = 1 it is one k x k convolution with its activation.
    """

    def __init__(self, layer: Layer, t: float, k: int) -> None:
        super().__init__()
        mid = layer.cout if t == 1 else round(layer.cin * t)
        self.expand = ConvNorm(layer.cin, mid, k, layer.style, stride=layer.stride, dilation=layer.dilation)
        self.project = nn.Identity() if t == 1 else ConvNorm(mid, layer.cout, 1, layer.style, act="identity")
        self.drop_path = DropPath() if keeps_shape(layer) else None

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(self.expand(x))
        return y if self.drop_path is None else x + self.drop_path(y)


@module.register
def _(op: FusedMBConv, layer: Layer) -> nn.Module:
    return FusedInvertedResidual(layer, op.t, op.k)
