"""MobileViT (Mehta 2022): transformers across patches, between convolutions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from linnet.arch.mobilenet import MBConv
from linnet.arch.spec import Arch, Classifier, Conv, Dropout, Layer, Operator, Pool, Scaling, Stage, Style
from linnet.nn.conv import ConvNorm, LayerNorm
from linnet.nn.module import module

from .vit import EncoderLayer


@dataclass(frozen=True)
class MobileViT(Operator):
    """3 x 3, `depth` transformer layers of width `d` over pixels of one place in their patches, fused with the input."""

    d: int
    depth: int
    heads: int = 4
    patch: int = 2
    units: ClassVar[int] = 1

    def widened(self, cin: int, wide: int, scaling: Scaling) -> MobileViT:
        return replace(self, d=scaling.channels(self.d, wide / cin))


# fmt: off
mobilevit_s = Arch("mobilevit_s", image=256,                                                  # Mehta 2022, Table 4
    style=Style(act="silu"), source="arXiv 2110.02178, Table 4",
    stem=(Stage(Conv(k=3),               16, 1, 2),),
    stages=(  # operator           channels layers stride
        Stage(MBConv(t=4, k=3),          32, 1, 1),
        Stage(MBConv(t=4, k=3),          64, 3, 2),
        Stage(MBConv(t=4, k=3),          96, 1, 2),
        Stage(MobileViT(d=144, depth=2), 96, 1, 1),
        Stage(MBConv(t=4, k=3),         128, 1, 2),
        Stage(MobileViT(d=192, depth=4), 128, 1, 1),
        Stage(MBConv(t=4, k=3),         160, 1, 2),
        Stage(MobileViT(d=240, depth=3), 160, 1, 1)),
    head=(Conv(640, k=1), Pool(), Dropout(), Classifier()))
# fmt: on


class MobileViTBlock(nn.Module):
    """[B, C, H, W] -> the same; a map that patches do not divide is resized up and back, as the released code does."""

    def __init__(self, op: MobileViT, layer: Layer) -> None:
        super().__init__()
        c, style = layer.cin, layer.style
        self.patch = op.patch
        self.local = nn.Sequential(ConvNorm(c, c, 3, style), nn.Conv2d(c, op.d, 1, bias=False))
        self.encoder = nn.Sequential(*(EncoderLayer(op.d, op.heads, 2, style) for _ in range(op.depth)))
        self.norm = LayerNorm(op.d, eps=style.eps)
        self.project, self.fuse = ConvNorm(op.d, c, 1, style), ConvNorm(2 * c, c, 3, style)

    def forward(self, x: Tensor) -> Tensor:
        y, p, (h, w) = self.local(x), self.patch, x.shape[2:]
        if ragged := h % p or w % p:
            y = F.interpolate(y, (h + -h % p, w + -w % p), mode="bilinear", align_corners=False)
        rows, columns = y.shape[2] // p, y.shape[3] // p
        y = y.unflatten(3, (columns, p)).unflatten(2, (rows, p))  # [B, d, rows, p, columns, p]
        y = y.permute(0, 3, 5, 2, 4, 1).flatten(3, 4).flatten(0, 2)  # [B * p * p, rows * columns, d]
        y = self.norm(self.encoder(y))
        y = (
            y.unflatten(0, (-1, p, p))
            .unflatten(3, (rows, columns))
            .permute(0, 5, 3, 1, 4, 2)
            .flatten(4, 5)
            .flatten(2, 3)
        )
        if ragged:
            y = F.interpolate(y, (h, w), mode="bilinear", align_corners=False)
        return self.fuse(torch.cat([x, self.project(y)], 1))


@module.register
def _(op: MobileViT, layer: Layer) -> nn.Module:
    return MobileViTBlock(op, layer)
