"""Modules of GhostNet (Han 2020)."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

from ..arch.ghostnet import GBneck
from ..arch.spec import Act, Layer
from .conv import ConvNorm, DropPath, SqueezeExcite, added
from .mobilenet import keeps_shape
from .module import module


class GhostModule(nn.Module):
    """[B, cin, H, W] -> [B, cout, H, W]: half by a 1 x 1 convolution, the other half from those by a depthwise 3 x 3.

    Han 2020, Figure 1b and section 3.1, with s = 2 and d = 3.
    """

    def __init__(self, cin: int, cout: int, layer: Layer, *, act: Act | None = None) -> None:
        super().__init__()
        half = -(-cout // 2)
        self.primary = ConvNorm(cin, half, 1, layer.style, act=act)
        self.cheap = ConvNorm(half, half, 3, layer.style, groups=half, dilation=layer.dilation, act=act)
        self.left_out = 2 * half - cout  # an odd channel too many

    def forward(self, x: Tensor) -> Tensor:
        x = self.primary(x)
        y = torch.cat([x, self.cheap(x)], 1)
        return y[:, : -self.left_out] if self.left_out else y


class GhostBottleneck(nn.Module):
    """[B, cin, H, W] -> [B, cout, ceil(H / stride), ...]; Han 2020, Figure 3."""

    def __init__(self, op: GBneck, layer: Layer) -> None:
        super().__init__()
        style, cin = layer.style, layer.cin

        def depthwise(c: int) -> ConvNorm:
            return ConvNorm(c, c, op.k, style, stride=layer.stride, groups=c, dilation=layer.dilation, act="identity")

        self.expand = GhostModule(cin, op.exp, layer)
        self.depthwise = depthwise(op.exp) if op.down or layer.stride > 1 else nn.Identity()
        self.gate = SqueezeExcite(op.exp, op.squeezed, act="relu", hard=True) if op.se else nn.Identity()
        self.project = GhostModule(op.exp, layer.cout, layer, act="identity")
        self.shortcut: nn.Module = nn.Identity()
        if op.down or not keeps_shape(layer):
            to = ConvNorm(cin, layer.cout, 1, style, act="identity")
            self.shortcut = nn.Sequential(OrderedDict[str, nn.Module](depthwise=depthwise(cin), project=to))
        self.drop_path = DropPath()

    def forward(self, x: Tensor) -> Tensor:
        return added(self.shortcut(x), self.drop_path(self.project(self.gate(self.depthwise(self.expand(x))))))


@module.register
def _(op: GBneck, layer: Layer) -> nn.Module:
    return GhostBottleneck(op, layer)
