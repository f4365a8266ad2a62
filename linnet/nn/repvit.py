"""Modules of RepViT (Wang 2024): RepViT, RepDown, NormClassifier. Branches and norms fold away for use."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..arch.repvit import NormClassifier, RepDown, RepViT
from ..arch.scale import round_channels
from ..arch.spec import Layer, Style
from .conv import ConvNorm, DropPath, Heads, SqueezeExcite, added
from .fold import absorb, affine
from .module import module
from .undrawn import Conv2d


class TokenMixer(nn.Module):
    """norm(depthwise 3 x 3 + 1 x 1 + x), the RepVGGDW of the released code: [B, C, H, W] -> the same.

    In evaluation one depthwise 3 x 3 convolution, which is why its norms are batch norms whatever the style.
    """

    def __init__(self, c: int, style: Style, dilation: int) -> None:
        super().__init__()
        self.depthwise = ConvNorm(c, c, 3, style, groups=c, dilation=dilation, act="identity")
        self.pointwise = Conv2d(c, c, 1, groups=c)
        self.norm = nn.BatchNorm2d(c, eps=style.eps, momentum=style.momentum)

    def forward(self, x: Tensor) -> Tensor:
        y = self.depthwise(x)
        y += self.pointwise(x)
        y += x
        return self.norm(y)

    def folded(self) -> nn.Module:
        whole = self.depthwise
        assert whole.bias is not None
        assert self.pointwise.bias is not None
        whole.weight[:, :, 1:2, 1:2] += self.pointwise.weight + 1  # and the input itself, in the middle of the kernel
        whole.bias += self.pointwise.bias
        absorb(whole, self.norm)
        return whole


class ChannelMixer(nn.Module):
    """x + project(expand(x)), twice as wide inside: [B, C, H, W] -> the same. It starts as x alone."""

    def __init__(self, c: int, style: Style) -> None:
        super().__init__()
        self.expand, self.project = ConvNorm(c, 2 * c, 1, style), ConvNorm(2 * c, c, 1, style, act="identity")
        self.drop_path = DropPath()
        if isinstance(self.project.norm, nn.BatchNorm2d):
            nn.init.zeros_(self.project.norm.weight)  # released code, bn_weight_init=0

    def forward(self, x: Tensor) -> Tensor:
        return added(x, self.drop_path(self.project(self.expand(x))))


class RepViTBlock(nn.Module):
    """[B, C, H, W] -> the same; token mixer and channel mixer apart: Wang 2024, section 3.2."""

    def __init__(self, c: int, style: Style, dilation: int, *, se: bool) -> None:
        super().__init__()
        self.token_mixer = TokenMixer(c, style, dilation)
        self.gate = SqueezeExcite(c, round_channels(c / 4, guard=0), act="relu") if se else nn.Identity()
        self.channel_mixer = ChannelMixer(c, style)

    def forward(self, x: Tensor) -> Tensor:
        return self.channel_mixer(self.gate(self.token_mixer(x)))


class RepViTDownsample(nn.Module):
    """[B, cin, H, W] -> [B, cout, ceil(H / stride), ...]: Wang 2024, section 3.3, "deeper downsampling layers"."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        c, style = layer.cin, layer.style
        self.block = RepViTBlock(c, style, layer.dilation, se=False)
        self.depthwise = ConvNorm(
            c, c, 3, style, stride=layer.stride, groups=c, dilation=layer.dilation, act="identity"
        )
        self.project = ConvNorm(c, layer.cout, 1, style, act="identity")
        self.channel_mixer = ChannelMixer(layer.cout, style)

    def forward(self, x: Tensor) -> Tensor:
        return self.channel_mixer(self.project(self.depthwise(self.block(x))))


class NormLinear(nn.Linear):
    """Batch norm, then a linear layer that owns it: [B, cin] -> [B, cout]."""

    def __init__(self, cin: int, cout: int, style: Style) -> None:
        super().__init__(cin, cout)
        self.norm = nn.BatchNorm1d(cin, eps=style.eps, momentum=style.momentum)

    def reset_parameters(self) -> None:
        nn.init.trunc_normal_(self.weight, std=0.02)  # released code, BN_Linear
        nn.init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(self.norm(input), self.weight, self.bias)

    def folded(self) -> nn.Module:
        scale, shift = affine(self.norm)
        return _linear(self.weight * scale, self.bias + self.weight @ shift)


class NormHeads(Heads):
    """The mean of the classifiers' logits, [B, C]; without their norms they are one."""

    def folded(self) -> nn.Module:
        weights, biases = [fc.weight for fc in self], [fc.bias for fc in self]
        return _linear(torch.stack(weights).mean(0), torch.stack(biases).mean(0))  # type: ignore[arg-type]


def _linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    fc = nn.Linear(weight.shape[1], weight.shape[0], device="meta")
    fc.weight, fc.bias = nn.Parameter(weight), nn.Parameter(bias)
    return fc


@module.register
def _(op: RepViT, layer: Layer) -> nn.Module:
    return RepViTBlock(layer.cout, layer.style, layer.dilation, se=op.se)


@module.register
def _(op: RepDown, layer: Layer) -> nn.Module:
    return RepViTDownsample(layer)


@module.register
def _(op: NormClassifier, layer: Layer) -> nn.Module:
    if not op.classes:
        return nn.Identity()
    heads = [NormLinear(layer.cin, op.classes, layer.style) for _ in range(op.heads)]
    return heads[0] if op.heads == 1 else NormHeads(heads)
