"""Modules of ShuffleNet V1 (Zhang 2018) and V2 (Ma 2018)."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

from ..arch.shufflenet import Shuffle, ShuffleV2
from ..arch.spec import Layer
from ..errors import SettingError
from .conv import ConvNorm, DropPath, activation, added
from .mobilenet import keeps_shape
from .module import module


class ShuffleUnit(nn.Module):
    """[B, cin, H, W] -> [B, cout, ceil(H / stride), ...]; Zhang 2018, Figure 2b, and 2c where the shape changes."""

    def __init__(self, layer: Layer, g: int, *, first: bool) -> None:
        super().__init__()
        style, mid = layer.style, layer.cout // 4
        self.g, self.adds = g, keeps_shape(layer)
        cout = layer.cout if self.adds else layer.cout - layer.cin
        self.squeeze = ConvNorm(layer.cin, mid, 1, style, groups=1 if first else g)
        self.depthwise = ConvNorm(mid, mid, 3, style, stride=layer.stride, groups=mid, dilation=layer.dilation,
                                  act="identity")  # fmt: skip
        self.project = ConvNorm(mid, cout, 1, style, groups=g, act="identity")
        self.pool = nn.Identity() if layer.stride == 1 else nn.AvgPool2d(3, layer.stride, 1)
        self.act = activation(style.act)
        self.drop_path = DropPath() if self.adds else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        # The paper's figure shuffles above the depthwise convolution. That one keeps channels apart, so below it is the
        # same network, and cheaper where there is a stride: megvii's code does it too.
        y = self.project(shuffle(self.depthwise(self.squeeze(x)), self.g))
        if self.adds:
            return self.act(added(x, self.drop_path(y)))
        return self.act(torch.cat([self.pool(x), y], 1))


class SplitUnit(nn.Module):
    """[B, cin, H, W] -> [B, cout, ceil(H / stride), ...]; Ma 2018, Figure 3c, and 3d where the shape changes."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        if layer.cout % 2:
            raise SettingError(f"ShuffleV2 gives two halves: {layer.cout} channels must be an even number.")
        style, half = layer.style, layer.cout // 2
        self.splits = keeps_shape(layer)
        cin = half if self.splits else layer.cin

        def depthwise(c: int) -> ConvNorm:
            return ConvNorm(c, c, 3, style, stride=layer.stride, groups=c, dilation=layer.dilation, act="identity")

        self.shortcut: nn.Module = nn.Identity()
        if not self.splits:
            to = ConvNorm(cin, half, 1, style)
            self.shortcut = nn.Sequential(OrderedDict[str, nn.Module](depthwise=depthwise(cin), project=to))
        self.pointwise = ConvNorm(cin, half, 1, style)
        self.depthwise = depthwise(half)
        self.project = ConvNorm(half, half, 1, style)

    def forward(self, x: Tensor) -> Tensor:
        kept, given = x.chunk(2, 1) if self.splits else (x, x)
        return interleave(self.shortcut(kept), self.project(self.depthwise(self.pointwise(given))))


def shuffle(x: Tensor, g: int) -> Tensor:
    """Channels of `g` groups taken in turn (Zhang 2018, section 3.1), [B, C, H, W] -> the same, in its memory format."""
    if x.stride(1) == 1:  # channels-last: one copy, and none to come back to it
        return x.permute(0, 2, 3, 1).unflatten(3, (g, -1)).transpose(3, 4).flatten(3).permute(0, 3, 1, 2)
    return x.unflatten(1, (g, -1)).transpose(1, 2).flatten(1, 2)


def interleave(a: Tensor, b: Tensor) -> Tensor:
    """Channels a0, b0, a1, b1 ...: [B, C, H, W] twice -> [B, 2 C, H, W], in the memory format of `b`.

    It is what concatenation and a shuffle of two groups give, in one copy instead of two.
    """
    if b.stride(1) == 1:
        return torch.stack([a.permute(0, 2, 3, 1), b.permute(0, 2, 3, 1)], 4).flatten(3).permute(0, 3, 1, 2)
    return torch.stack([a, b], 2).flatten(1, 2)


@module.register
def _(op: Shuffle, layer: Layer) -> nn.Module:
    return ShuffleUnit(layer, op.g, first=op.first)


@module.register
def _(op: ShuffleV2, layer: Layer) -> nn.Module:
    return SplitUnit(layer)
