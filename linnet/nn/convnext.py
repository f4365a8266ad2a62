"""Modules of ConvNeXt and of the blocks between ResNet and it (Liu 2022)."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from ..arch.convnext import ConvNeXt, RoadmapBlock
from ..arch.spec import Layer
from .attention import Mlp
from .conv import ConvNorm, DropPath, activation, added, norm, pad_same
from .mobilenet import keeps_shape
from .module import module
from .undrawn import Conv2d


class Downsample(nn.Module):
    """Norm, then a 2 x 2 convolution: [B, cin, H, W] -> [B, cout, H // 2, W // 2].

    Without a stride, where an output stride has turned it into dilation, it pads and the map keeps its size.
    """

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.norm = norm(layer.cin, layer.style)
        self.conv = Conv2d(layer.cin, layer.cout, 2, layer.stride, dilation=layer.dilation)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(x)
        if self.conv.stride == (1, 1):
            x = pad_same(x, self.conv.kernel_size, 1, self.conv.dilation[0])
        return self.conv(x)


class ConvNeXtLayer(nn.Module):
    """[Downsample], then x + scale * mlp(norm(depthwise(x))): [B, cin, H, W] -> [B, cout, ...] (Liu 2022, Figure 4).

    Norm and MLP are over the last dimension of a view [B, H, W, C], which in channels-last order is no copy.
    """

    def __init__(self, op: ConvNeXt, layer: Layer) -> None:
        super().__init__()
        c, style = layer.cout, layer.style
        self.downsample = Downsample(layer) if layer.stride > 1 or layer.cin != c else nn.Identity()
        # The stage that changes channels without a stride has lost it: its own blocks are dilated already, as timm's.
        dilation = layer.dilation * (2 if layer.stride == 1 and layer.cin != c else 1)
        self.depthwise = ConvNorm(c, c, op.k, style, groups=c, dilation=dilation, act="identity")
        self.mlp = Mlp(c, 4 * c, style)
        self.scale = nn.Parameter(torch.full((c,), 1e-6))  # layer scale (Touvron 2021), as Liu 2022, Table 5 has it
        self.drop_path = DropPath()

    def forward(self, x: Tensor) -> Tensor:
        x = self.downsample(x)
        y = self.mlp(self.depthwise(x).permute(0, 2, 3, 1)) * self.scale
        return added(x, self.drop_path(y.permute(0, 3, 1, 2)))


class Roadmap(nn.Module):
    """See `linnet.arch.convnext.RoadmapBlock`: [B, cin, H, W] -> [B, cout, ceil(H / stride), ...]."""

    def __init__(self, op: RoadmapBlock, layer: Layer) -> None:
        super().__init__()
        cin, cout, inner, style = layer.cin, layer.cout, op.inner(layer.cout), layer.style
        bare = replace(style, norm="none") if op.one_norm else style
        c = cin if op.moved else inner  # of the k x k
        self.moved = op.moved
        self.spatial = ConvNorm(c, c, op.k, style, stride=layer.stride, groups=c if op.depthwise else 1,
                                dilation=layer.dilation, act="identity" if op.one_act else None)  # fmt: skip
        self.expand = ConvNorm(cin, inner, 1, bare)
        self.project = ConvNorm(inner, cout, 1, bare, act="identity")
        self.shortcut = (
            nn.Identity() if keeps_shape(layer) else ConvNorm(cin, cout, 1, style, stride=layer.stride, act="identity")
        )
        self.drop_path = DropPath()
        self.act = nn.Identity() if op.one_act else activation(style.act)

    def forward(self, x: Tensor) -> Tensor:
        y = self.expand(self.spatial(x)) if self.moved else self.spatial(self.expand(x))
        return self.act(added(self.shortcut(x), self.drop_path(self.project(y))))


@module.register
def _(op: ConvNeXt, layer: Layer) -> nn.Module:
    return ConvNeXtLayer(op, layer)


@module.register
def _(op: RoadmapBlock, layer: Layer) -> nn.Module:
    return Roadmap(op, layer)
