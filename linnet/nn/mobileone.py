"""Modules of MobileOne (Vasu 2023): MobileOneConv, MobileOne. Branches fold away for use."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from ..arch.mobileone import MobileOne, MobileOneConv
from ..arch.spec import Layer, Style
from .conv import ConvNorm, DropPath, activation
from .fold import affine
from .module import module


class Branches(nn.Module):
    """Several k x k convolutions, a 1 x 1 one and a norm of the input side by side: their sum, then the activation.

    [B, cin, H, W] -> [B, cout, ceil(H / stride), ...]; in evaluation one k x k convolution (Vasu 2023, section 3.3).
    Hence the norms are batch norms and the padding is symmetric whatever the style: all kernels share one middle.
    """

    def __init__(self, cin: int, cout: int, k: int, style: Style, *, branches: int, skip: bool, stride: int = 1,
                 groups: int = 1, dilation: int = 1) -> None:  # fmt: skip
        super().__init__()
        style = replace(style, norm="batch")

        def branch(k: int) -> ConvNorm:
            pad = dilation * (k - 1) // 2
            return ConvNorm(
                cin, cout, k, style, stride=stride, groups=groups, dilation=dilation, pad=pad, act="identity"
            )

        self.branches = nn.ModuleList(branch(k) for _ in range(branches))
        self.scale = branch(1) if k > 1 else None
        self.skip = nn.BatchNorm2d(cin, eps=style.eps, momentum=style.momentum) if skip else None
        self.drop_path = DropPath() if skip else None
        self.act = activation(style.act)

    def forward(self, x: Tensor) -> Tensor:
        y = self.branches[0](x)
        for i in range(1, len(self.branches)):
            y += self.branches[i](x)
        if self.scale is not None:
            y += self.scale(x)
        if self.skip is not None and self.drop_path is not None:
            y = self.drop_path(y)
            y += self.skip(x)
        return self.act(y)

    def folded(self) -> nn.Module:
        whole, *others = list(self.branches)
        assert isinstance(whole, ConvNorm)
        middle = whole.kernel_size[0] // 2
        weight, bias = whole.weight, whole.bias
        assert bias is not None
        for branch in others:
            weight += branch.weight  # type: ignore[operator]
            bias += branch.bias  # type: ignore[operator]
        if self.scale is not None:
            assert self.scale.bias is not None
            weight[:, :, middle, middle] += self.scale.weight[:, :, 0, 0]
            bias += self.scale.bias
        if self.skip is not None:
            scale, shift = affine(self.skip)
            own = torch.arange(len(weight), device=weight.device)  # the channel that goes into the one of that number
            weight[own, own % weight.shape[1], middle, middle] += scale
            bias += shift
        whole.act = self.act
        return whole


class MobileOneBlock(nn.Module):
    """Depthwise 3 x 3, then 1 x 1, each with its branches: [B, cin, H, W] -> [B, cout, ceil(H / stride), ...]."""

    def __init__(self, layer: Layer, branches: int) -> None:
        super().__init__()
        cin, cout, style = layer.cin, layer.cout, layer.style
        # Told by the channels too: a first layer that dilation robs of its stride has the same weights as before.
        first = layer.stride > 1 or cin != cout
        self.depthwise = Branches(cin, cin, 3, style, branches=branches, skip=not first, stride=layer.stride, groups=cin,
                                  dilation=layer.dilation)  # fmt: skip
        self.project = Branches(cin, cout, 1, style, branches=branches, skip=cin == cout)

    def forward(self, x: Tensor) -> Tensor:
        return self.project(self.depthwise(x))


@module.register
def _(op: MobileOneConv, layer: Layer) -> nn.Module:
    return Branches(layer.cin, layer.cout, op.k, layer.style, branches=op.branches, skip=False, stride=layer.stride,
                    dilation=layer.dilation)  # fmt: skip


@module.register
def _(op: MobileOne, layer: Layer) -> nn.Module:
    return MobileOneBlock(layer, op.branches)
