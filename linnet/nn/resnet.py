"""Modules of ResNet's operators: BasicBlock and Bottleneck."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from ..arch.resnet import BasicBlock, Bottleneck
from ..arch.scale import round_channels
from ..arch.spec import Layer
from .conv import ConvNorm, DropPath, SqueezeExcite, activation, pad_same
from .mobilenet import keeps_shape
from .module import module


class Residual(nn.Module):
    """A branch, [gated], added to the shortcut: [B, cin, H, W] -> [B, cout, ceil(H / stride), ...] (He 2016, section 3)."""

    def __init__(self, op: BasicBlock | Bottleneck, layer: Layer) -> None:
        super().__init__()
        c, style = layer.cout, layer.style
        # timm's rounding: to 8, without the guard that MobileNets have.
        self.gate = SqueezeExcite(c, round_channels(c * op.se, guard=0), act="relu") if op.se else nn.Identity()
        self.pool: nn.Module = nn.Identity()
        self.shortcut: nn.Module = nn.Identity()
        if not keeps_shape(layer):
            stride = 1 if op.pooled else layer.stride
            self.pool = Halving(layer.stride) if op.pooled else nn.Identity()
            self.shortcut = ConvNorm(layer.cin, c, 1, style, stride=stride, act="identity")
        self.drop_path, self.act = DropPath(), activation(style.act)

    def branch(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        y = self.drop_path(self.gate(self.branch(x)))
        # In place: the branch ends in a norm, a gate or a convolution, whose output is its own.
        y += self.shortcut(self.pool(x))
        return self.act(y)


class Halving(nn.Module):
    """Average of 2 x 2 in steps of the stride, of what is inside: [B, C, H, W] -> [B, C, ceil(H / stride), ...]."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        if self.stride == 1:  # it became dilation: a window to the right and below, with zeros at the edge, as in timm
            return F.avg_pool2d(pad_same(x, (2, 2), 1, 1), 2, 1)
        return F.avg_pool2d(x, self.stride, ceil_mode=True, count_include_pad=False)

    def extra_repr(self) -> str:
        return f"stride={self.stride}"


class ResidualPair(Residual):
    """Two 3 x 3: He 2016, Figure 5 left."""

    def __init__(self, op: BasicBlock, layer: Layer) -> None:
        super().__init__(op, layer)
        style = layer.style
        self.first = ConvNorm(layer.cin, layer.cout, 3, style, stride=layer.stride, dilation=layer.dilation)
        self.second = ConvNorm(layer.cout, layer.cout, 3, style, dilation=layer.dilation, act="identity")

    def branch(self, x: Tensor) -> Tensor:
        return self.second(self.first(x))


class ResidualBottleneck(Residual):
    """1 x 1, 3 x 3, 1 x 1: He 2016, Figure 5 right; with groups Xie 2017, Figure 3c."""

    def __init__(self, op: Bottleneck, layer: Layer) -> None:
        super().__init__(op, layer)
        style, mid = layer.style, op.inner(layer.cout)
        self.squeeze = ConvNorm(layer.cin, mid, 1, style)
        self.spatial = ConvNorm(mid, mid, 3, style, stride=layer.stride, groups=op.groups, dilation=layer.dilation)
        self.expand = ConvNorm(mid, layer.cout, 1, style, act="identity")

    def branch(self, x: Tensor) -> Tensor:
        return self.expand(self.spatial(self.squeeze(x)))


@module.register
def _(op: BasicBlock, layer: Layer) -> nn.Module:
    return ResidualPair(op, layer)


@module.register
def _(op: Bottleneck, layer: Layer) -> nn.Module:
    return ResidualBottleneck(op, layer)
