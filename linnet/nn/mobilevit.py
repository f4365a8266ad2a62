"""Modules of MobileViT (Mehta & Rastegari 2022) and MobileViTv2 (Mehta & Rastegari 2023)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..arch.mobilevit import MobileViT, MobileViTv2
from ..arch.spec import Layer, Style
from .attention import EncoderLayer
from .conv import ConvNorm, DropPath, LayerNorm, activation, added
from .module import module
from .undrawn import Conv2d


class MobileViTBlock(nn.Module):
    """[B, cin, H, W] -> [B, cout, H, W]; MobileViT, section 3.1 and Figure 1b."""

    def __init__(self, op: MobileViT, layer: Layer) -> None:
        super().__init__()
        cin, cout, style = layer.cin, layer.cout, layer.style
        self.patch = op.patch
        self.local = ConvNorm(cin, cin, 3, style, dilation=layer.dilation)
        self.embed = Conv2d(cin, op.d, 1, bias=False)
        hidden = int(op.d * op.mlp)
        self.encoder = nn.Sequential(*(EncoderLayer(op.d, op.heads, hidden, style) for _ in range(op.depth)))
        for m in self.encoder.modules():
            if isinstance(m, DropPath):
                m.rows = op.patch**2  # see `unfold`
        self.norm = LayerNorm(op.d, eps=style.eps)
        self.project, self.fuse = ConvNorm(op.d, cout, 1, style), ConvNorm(cin + cout, cout, 3, style)

    def forward(self, x: Tensor) -> Tensor:
        y, p, (h, w) = self.embed(self.local(x)), self.patch, x.shape[2:]
        size = whole_patches((h, w), p)
        if not same_size(size, (h, w)):
            y = F.interpolate(y, size, mode="bilinear", align_corners=False)
        y = fold(self.norm(self.encoder(unfold(y, p))), p, size)
        if not same_size(size, (h, w)):
            y = F.interpolate(y, (h, w), mode="bilinear", align_corners=False)
        return self.fuse(torch.cat([x, self.project(y)], 1))


def whole_patches(size: tuple[int, int], p: int) -> tuple[int, int]:
    """The sides of a map, rounded up to patches of p x p."""
    return ((size[0] + p - 1) // p * p, (size[1] + p - 1) // p * p)


def same_size(size: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether two sizes are known to be the same. In an export whose size is left open they are not; resizing to the same
    size changes nothing."""
    return all(isinstance(side, int) for side in size) and size == other


def unfold(x: Tensor, p: int) -> Tensor:
    """[B, C, H, W] -> [B * p * p, H / p * W / p, C]: the pixels of each place in a patch of p x p, by themselves.

    One copy, of whole pixels where the map is channels-last.
    """
    y = x.permute(0, 2, 3, 1).unflatten(2, (-1, p)).unflatten(1, (-1, p))  # [B, rows, p, columns, p, C]
    return y.permute(0, 2, 4, 1, 3, 5).flatten(3, 4).flatten(0, 2)


def fold(x: Tensor, p: int, size: tuple[int, int]) -> Tensor:
    """What `unfold` did, back to a map of `size`; it is channels-last, which again is one copy of whole pixels."""
    y = x.unflatten(1, (size[0] // p, size[1] // p)).unflatten(0, (-1, p, p))  # [B, p, p, rows, columns, C]
    return y.permute(0, 3, 1, 4, 2, 5).flatten(3, 4).flatten(1, 2).permute(0, 3, 1, 2)


class MobileViTv2Block(nn.Module):
    """[B, cin, H, W] -> [B, cout, H, W], sides rounded up to whole patches; MobileViTv2, section 3."""

    def __init__(self, op: MobileViTv2, layer: Layer) -> None:
        super().__init__()
        cin, cout, style = layer.cin, layer.cout, layer.style
        self.patch = op.patch
        self.local = ConvNorm(cin, cin, 3, style, groups=cin, dilation=layer.dilation)
        self.embed = Conv2d(cin, op.d, 1, bias=False)
        self.encoder = nn.Sequential(*(SeparableLayer(op.d, int(op.d * op.mlp), style) for _ in range(op.depth)))
        self.norm = nn.GroupNorm(1, op.d, eps=style.eps)
        self.project = ConvNorm(op.d, cout, 1, style, act="identity")

    def forward(self, x: Tensor) -> Tensor:
        p, (h, w) = self.patch, x.shape[2:]
        size = whole_patches((h, w), p)
        if not same_size(size, (h, w)):
            x = F.interpolate(x, size, mode="bilinear", align_corners=True)
        y = self.norm(self.encoder(unfold_map(self.embed(self.local(x)), p)))
        return self.project(fold_map(y, p, size))


def unfold_map(x: Tensor, p: int) -> Tensor:
    """[B, C, H, W] -> [B, C, p * p, H / p * W / p], as `unfold` but with the channels where they are.

    A channels-last map gives a channels-last one: convolutions and norms after it need no other order.
    """
    if x.is_contiguous(memory_format=torch.channels_last):
        return unfold(x, p).unflatten(0, (-1, p * p)).permute(0, 3, 1, 2)
    y = x.unflatten(3, (-1, p)).unflatten(2, (-1, p))  # [B, C, rows, p, columns, p]
    return y.permute(0, 1, 3, 5, 2, 4).flatten(4).flatten(2, 3)


def fold_map(x: Tensor, p: int, size: tuple[int, int]) -> Tensor:
    """What `unfold_map` did, back to a map of `size`, in the same order of memory."""
    if x.is_contiguous(memory_format=torch.channels_last):
        return fold(x.permute(0, 2, 3, 1).flatten(0, 1), p, size)
    y = x.unflatten(3, (size[0] // p, size[1] // p)).unflatten(2, (p, p))  # [B, C, p, p, rows, columns]
    return y.permute(0, 1, 4, 2, 5, 3).flatten(4).flatten(2, 3)


class SeparableLayer(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x)): [B, d, P, N] -> the same. A norm is over all values of an image."""

    def __init__(self, d: int, hidden: int, style: Style) -> None:
        super().__init__()
        self.norm1, self.attention = nn.GroupNorm(1, d, eps=style.eps), SeparableAttention(d)
        self.norm2, self.mlp = nn.GroupNorm(1, d, eps=style.eps), PixelMlp(d, hidden, style)
        self.drop_path1, self.drop_path2 = DropPath(), DropPath()

    def forward(self, x: Tensor) -> Tensor:
        x = added(x, self.drop_path1(self.attention(self.norm1(x))))
        return added(x, self.drop_path2(self.mlp(self.norm2(x))))


class SeparableAttention(nn.Module):
    """Self-attention in linear time among the N patches, at each of P places: [B, d, P, N] -> the same.

    A score per pixel, the mean of the keys weighted by their softmax, and that times every pixel's value: MobileViTv2,
    section 3.2.
    """

    def __init__(self, d: int) -> None:
        super().__init__()
        self.sizes = (1, d, d)
        self.qkv, self.project = Conv2d(d, 1 + 2 * d, 1), Conv2d(d, d, 1)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = self.qkv(x).split(self.sizes, 1)
        context = (key * query.softmax(-1)).sum(-1, keepdim=True)  # [B, d, P, 1]
        return self.project(value.relu() * context)


class PixelMlp(nn.Module):
    """Two 1 x 1 convolutions with the style's activation between them: [B, d, P, N] -> the same."""

    def __init__(self, d: int, hidden: int, style: Style) -> None:
        super().__init__()
        self.expand, self.act, self.project = Conv2d(d, hidden, 1), activation(style.act), Conv2d(hidden, d, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.project(self.act(self.expand(x)))


@module.register
def _(op: MobileViT, layer: Layer) -> nn.Module:
    return MobileViTBlock(op, layer)


@module.register
def _(op: MobileViTv2, layer: Layer) -> nn.Module:
    return MobileViTv2Block(op, layer)
