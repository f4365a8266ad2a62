"""Modules of the MobileNets' operators: SepConv, MBConv, Bneck."""

from __future__ import annotations

from torch import Tensor, nn

from ..arch.mobilenet import Bneck, MBConv, SepConv
from ..arch.spec import Act, Layer
from .conv import ConvNorm, DropPath, SqueezeExcite, added
from .module import module


class SeparableConv(nn.Module):
    """Depthwise, [gate], pointwise: [B, cin, H, W] -> [B, cout, ceil(H / stride), ...]; adds its input if `add`."""

    def __init__(self, layer: Layer, k: int, *, linear: bool, gate: SqueezeExcite | None = None,
                 act: Act | None = None, add: bool = False) -> None:  # fmt: skip
        super().__init__()
        self.depthwise = ConvNorm(layer.cin, layer.cin, k, layer.style, stride=layer.stride, groups=layer.cin,
                                  dilation=layer.dilation, act=act)  # fmt: skip
        self.gate = gate or nn.Identity()
        self.project = ConvNorm(layer.cin, layer.cout, 1, layer.style, act="identity" if linear else act)
        self.drop_path = DropPath() if add else None

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(self.gate(self.depthwise(x)))
        return y if self.drop_path is None else added(x, self.drop_path(y))


class InvertedResidual(nn.Module):
    """Expand, depthwise, [gate], project, and the input added where the shape allows: Sandler 2018, Figure 3b."""

    def __init__(self, layer: Layer, mid: int, k: int, *, gate: SqueezeExcite | None, act: Act | None = None) -> None:
        super().__init__()
        style = layer.style
        self.expand = ConvNorm(layer.cin, mid, 1, style, act=act)
        self.depthwise = ConvNorm(mid, mid, k, style, stride=layer.stride, groups=mid, dilation=layer.dilation, act=act)
        self.gate = gate or nn.Identity()
        self.project = ConvNorm(mid, layer.cout, 1, style, act="identity")
        self.drop_path = DropPath() if keeps_shape(layer) else None

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(self.gate(self.depthwise(self.expand(x))))
        return y if self.drop_path is None else added(x, self.drop_path(y))


def keeps_shape(layer: Layer) -> bool:
    return layer.stride == 1 and layer.cin == layer.cout


@module.register
def _(op: SepConv, layer: Layer) -> nn.Module:
    # MobileNetV1 has no residual; MnasNet's linear one adds its input where it can, as timm and TensorFlow do.
    return SeparableConv(layer, op.k, linear=op.linear, add=op.linear and keeps_shape(layer))


@module.register
def _(op: MBConv, layer: Layer) -> nn.Module:
    mid = round(layer.cin * op.t)
    gate = SqueezeExcite(mid, max(1, int(layer.cin * op.se)), act=layer.style.act) if op.se else None
    if op.t == 1:  # no released network has an expansion that expands nothing
        return SeparableConv(layer, op.k, linear=True, gate=gate, add=keeps_shape(layer))
    return InvertedResidual(layer, mid, op.k, gate=gate)


@module.register
def _(op: Bneck, layer: Layer) -> nn.Module:
    act: Act = "hswish" if op.nl == "HS" else "relu"
    gate = SqueezeExcite(op.exp, op.squeezed, act="relu", hard=True) if op.se else None
    if op.exp == layer.cin:
        return SeparableConv(layer, op.k, linear=True, gate=gate, act=act, add=keeps_shape(layer))
    return InvertedResidual(layer, op.exp, op.k, gate=gate, act=act)
