"""Modules of Xception's operators: EntryFlow, MiddleFlow, ExitFlow, SeparableConv."""

from __future__ import annotations

from torch import Tensor, nn

from ..arch.spec import Layer
from ..arch.xception import EntryFlow, ExitFlow, MiddleFlow, SeparableConv
from .conv import ACTS, ConvNorm, DropPath
from .module import module
from .undrawn import Conv2d


class Separable(nn.Module):
    """Depthwise 3 x 3, pointwise, norm, [activation]: [B, cin, H, W] -> [B, cout, ceil(H / stride), ...] (Chollet 2017, section 4.7)."""

    def __init__(self, layer: Layer, cin: int, cout: int, *, linear: bool, stride: int = 1) -> None:
        super().__init__()
        d = layer.dilation
        self.depthwise = Conv2d(cin, cin, 3, stride, d, d, groups=cin, bias=False)
        self.pointwise = ConvNorm(cin, cout, 1, layer.style, act="identity" if linear else None)

    def forward(self, x: Tensor) -> Tensor:
        return self.pointwise(self.depthwise(x))


class ResidualFlow(nn.Module):
    """Activations and separable convolutions in turn, [a maximum], and a shortcut: Chollet 2017, Figure 5.

    [B, cin, H, W] -> [B, cout, ceil(H / stride), ...]. `channels` are those between the convolutions, from the input's
    to the output's.
    """

    def __init__(self, layer: Layer, channels: tuple[int, ...], *, relu: bool = True, pool: bool = True) -> None:
        super().__init__()
        last = len(channels) - 2
        # The first does not work in place, since the shortcut sees its input; the others stand behind a convolution.
        self.act = ACTS[layer.style.act]() if relu else nn.Identity()
        self.separable = nn.Sequential(
            *(Separable(layer, channels[i], channels[i + 1], linear=i == last) for i in range(last + 1))
        )
        self.pool = nn.MaxPool2d(3, layer.stride, 1) if pool else nn.Identity()
        self.shortcut = (
            ConvNorm(layer.cin, layer.cout, 1, layer.style, stride=layer.stride, act="identity")
            if pool or layer.cin != layer.cout
            else nn.Identity()
        )
        self.drop_path = DropPath()

    def forward(self, x: Tensor) -> Tensor:
        y = self.drop_path(self.pool(self.separable(self.act(x))))
        y += self.shortcut(x)  # in place: a pool or a norm gave it, whose output is its own
        return y


@module.register
def _(op: EntryFlow, layer: Layer) -> nn.Module:
    return ResidualFlow(layer, (layer.cin, layer.cout, layer.cout), relu=op.relu)


@module.register
def _(op: MiddleFlow, layer: Layer) -> nn.Module:
    return ResidualFlow(layer, (layer.cin, *[layer.cout] * 3), pool=layer.stride > 1)


@module.register
def _(op: ExitFlow, layer: Layer) -> nn.Module:
    return ResidualFlow(layer, (layer.cin, layer.cin, layer.cout))


@module.register
def _(op: SeparableConv, layer: Layer) -> nn.Module:
    return Separable(layer, layer.cin, layer.cout, linear=False, stride=layer.stride)
