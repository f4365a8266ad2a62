"""Vision transformers: patches, tokens, encoder (Dosovitskiy 2021), and DeiT's distillation token (Touvron 2021)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from linnet.arch.spec import Arch, Classifier, Layer, Norm, Operator, Pool, Scaling, Size, Stage, Style
from linnet.nn.conv import DropPath, LayerNorm, activation
from linnet.nn.module import module


@dataclass(frozen=True)
class Patchify(Operator):
    """A convolution over patches that do not overlap; their side is the row's stride. `norm` adds a LayerNorm."""

    norm: bool = True

    def out_size(self, size: Size, stride: int, dilation: int) -> Size:
        return tuple(n // stride for n in size)


@dataclass(frozen=True)
class Tokens(Operator):
    """From a map to tokens with learned positions, `before` of them (class, distillation) in front of the patches."""

    before: int = 1

    def out_size(self, size: Size, stride: int, dilation: int) -> Size:
        return (self.before + size[0] * size[1],)


@dataclass(frozen=True)
class Encoder(Operator):
    """A pre-norm transformer layer over tokens."""

    heads: int
    mlp: float = 4.0
    units: ClassVar[int] = 1

    def widened(self, cin: int, wide: int, scaling: Scaling) -> Encoder:
        return replace(self, heads=max(1, round(self.heads * wide / cin)))


# fmt: off
deit_tiny_distilled = Arch("deit_tiny_distilled_patch16_224", image=224,                      # Touvron 2021, Table 1
    style=Style(act="gelu", norm="layer", eps=1e-6), scaling=Scaling(divisor=64),
    source="arXiv 2012.12877, Table 1 and section 4 (distillation token)",
    stem=(Stage(Patchify(norm=False), 192,  1, 16),
          Stage(Tokens(before=2),     192,  1,  1)),
    stages=(Stage(Encoder(heads=3),   192, 12,  1),),
    head=(Norm(), Pool("token", tokens=2), Classifier(heads=2)))
# fmt: on


class PatchConv(nn.Conv2d):
    """[B, cin, H, W] -> [B, cout, H / stride, W / stride], normed over the channels."""

    def __init__(self, layer: Layer, *, norm: bool) -> None:
        super().__init__(layer.cin, layer.cout, layer.stride, layer.stride)
        self.norm = LayerNorm(layer.cout, eps=layer.style.eps) if norm else nn.Identity()

    def forward(self, input: Tensor) -> Tensor:
        return self.norm(super().forward(input))


class Positions(nn.Module):
    """[B, C, H, W] -> [B, before + H * W, C]: the given size only, since a position is learned for each token."""

    def __init__(self, layer: Layer, before: int) -> None:
        super().__init__()
        self.tokens = nn.Parameter(torch.empty(1, before, layer.cout))
        self.positions = nn.Parameter(torch.empty(1, *layer.output_shape))
        for p in self.parameters():
            nn.init.trunc_normal_(p, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.tokens.expand(len(x), -1, -1), x.flatten(2).transpose(1, 2)], 1) + self.positions


class Attention(nn.Module):
    """Multi-head self-attention over [..., N, C]."""

    def __init__(self, c: int, heads: int) -> None:
        super().__init__()
        self.heads, self.qkv, self.project = heads, nn.Linear(c, 3 * c), nn.Linear(c, c)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (
            self.qkv(x).unflatten(-1, (3, self.heads, -1)).transpose(-2, -4).unbind(-3)
        )  # [..., heads, N, c / heads]
        return self.project(nn.functional.scaled_dot_product_attention(q, k, v).transpose(-2, -3).flatten(-2))


class EncoderLayer(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x)): [B, N, C] -> the same."""

    def __init__(self, c: int, heads: int, mlp: float, style: Style) -> None:
        super().__init__()
        self.norm1, self.attention = LayerNorm(c, eps=style.eps), Attention(c, heads)
        self.norm2 = LayerNorm(c, eps=style.eps)
        self.mlp = nn.Sequential(nn.Linear(c, int(c * mlp)), activation(style.act), nn.Linear(int(c * mlp), c))
        self.drop_path = DropPath()

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.drop_path(self.attention(self.norm1(x)))
        return x + self.drop_path(self.mlp(self.norm2(x)))


@module.register
def _(op: Patchify, layer: Layer) -> nn.Module:
    return PatchConv(layer, norm=op.norm)


@module.register
def _(op: Tokens, layer: Layer) -> nn.Module:
    return Positions(layer, op.before)


@module.register
def _(op: Encoder, layer: Layer) -> nn.Module:
    return EncoderLayer(layer.cout, op.heads, op.mlp, layer.style)
