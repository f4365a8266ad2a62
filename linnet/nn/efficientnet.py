"""Module of EfficientNetV2's operator: FusedMBConv."""

from __future__ import annotations

from torch import Tensor, nn

from ..arch.efficientnet import FusedMBConv
from ..arch.spec import Layer
from .conv import ConvNorm, DropPath, added
from .mobilenet import keeps_shape
from .module import module


class FusedInvertedResidual(nn.Module):
    """k x k expansion, 1 x 1 projection, and the input added where the shape allows: Tan & Le 2021, Figure 2.

    Without the projection it is one k x k convolution with its activation.
    """

    def __init__(self, layer: Layer, op: FusedMBConv) -> None:
        super().__init__()
        mid = round(layer.cin * op.t) if op.projects else layer.cout
        self.expand = ConvNorm(layer.cin, mid, op.k, layer.style, stride=layer.stride, dilation=layer.dilation)
        self.project = ConvNorm(mid, layer.cout, 1, layer.style, act="identity") if op.projects else nn.Identity()
        self.drop_path = DropPath() if keeps_shape(layer) else None

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(self.expand(x))
        return y if self.drop_path is None else added(x, self.drop_path(y))


@module.register
def _(op: FusedMBConv, layer: Layer) -> nn.Module:
    return FusedInvertedResidual(layer, op)
