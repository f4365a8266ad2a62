"""EfficientViT of MIT (Cai 2023): ReLU linear attention over two scales, with the cost linear in the pixels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from linnet.arch.mobilenet import MBConv, SepConv
from linnet.arch.spec import Arch, Classifier, Conv, Dropout, Layer, Linear, Operator, Pool, Stage, Style
from linnet.nn.conv import ConvNorm, DropPath
from linnet.nn.mobilenet import keeps_shape
from linnet.nn.module import module


@dataclass(frozen=True)
class FewerNorm(Operator):
    """MBConv with biases in place of its first two norms."""

    t: float
    units: ClassVar[int] = 1


@dataclass(frozen=True)
class EfficientViT(Operator):
    """Linear attention with heads of `dim` channels, then a FewerNorm block; each adds its input."""

    dim: int
    t: float
    units: ClassVar[int] = 1


# fmt: off
efficientvit_b0 = Arch("efficientvit_b0", image=224,                                           # Cai 2023, B0
    style=Style(act="hswish"), source="arXiv 2205.14756; rows as in timm efficientvit_mit.py, efficientvit_b0",
    stem=(Stage(Conv(k=3),                   8, 1, 2),
          Stage(SepConv(k=3, linear=True),   8, 1, 1)),
    stages=(  # operator           channels layers stride
        Stage(MBConv(t=4, k=3),             16, 2, 2),
        Stage(MBConv(t=4, k=3),             32, 2, 2),
        Stage(FewerNorm(t=4),               64, 1, 2),
        Stage(EfficientViT(dim=16, t=4),    64, 2, 1),
        Stage(FewerNorm(t=4),              128, 1, 2),
        Stage(EfficientViT(dim=16, t=4),   128, 2, 1)),
    head=(Conv(1024, k=1), Pool(), Linear(1280, norm="layer"), Dropout(), Classifier()))
# fmt: on


class FewerNormBottleneck(nn.Module):
    """[B, cin, H, W] -> [B, cout, ceil(H / stride), ...]."""

    def __init__(self, layer: Layer, t: float) -> None:
        super().__init__()
        mid, plain = round(layer.cin * t), replace(layer.style, norm="none")
        self.expand = ConvNorm(layer.cin, mid, 1, plain)
        self.depthwise = ConvNorm(mid, mid, 3, plain, stride=layer.stride, groups=mid, dilation=layer.dilation)
        self.project = ConvNorm(mid, layer.cout, 1, layer.style, act="identity")
        self.drop_path = DropPath() if keeps_shape(layer) else None

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(self.depthwise(self.expand(x)))
        return y if self.drop_path is None else x + self.drop_path(y)


class LinearAttention(nn.Module):
    """relu(q) (relu(k)^T v), normalised, over the map and its 5 x 5 aggregate: [B, C, H, W] -> the same."""

    def __init__(self, layer: Layer, dim: int) -> None:
        super().__init__()
        c, total = layer.cin, 3 * (layer.cin // dim) * dim
        self.dim = dim
        self.qkv = nn.Conv2d(c, total, 1, bias=False)
        self.aggregate = nn.Sequential(
            nn.Conv2d(total, total, 5, padding=2, groups=total, bias=False),
            nn.Conv2d(total, total, 1, groups=total // dim, bias=False),
        )
        self.project = ConvNorm(2 * total // 3, c, 1, layer.style, act="identity")

    def forward(self, x: Tensor) -> Tensor:
        y = self.qkv(x)
        y = torch.cat([y, self.aggregate(y)], 1).flatten(2).unflatten(1, (-1, 3 * self.dim)).transpose(2, 3)
        q, k, v = y.chunk(3, dim=-1)  # [B, heads, H * W, dim]
        v = F.pad(v, (0, 1), value=1.0)  # its last column sums the weights
        # In float32: the sums over all pixels leave float16's range.
        with torch.autocast("cpu" if x.is_meta else x.device.type, enabled=False):
            y = q.float().relu() @ (k.float().relu().transpose(2, 3) @ v.float())
            y = (y[..., :-1] / (y[..., -1:] + 1e-5)).to(x.dtype)
        return self.project(y.transpose(2, 3).flatten(1, 2).unflatten(2, x.shape[2:]))


class EfficientViTBlock(nn.Module):
    """[B, C, H, W] -> the same; attention for context, depthwise for detail."""

    def __init__(self, layer: Layer, dim: int, t: float) -> None:
        super().__init__()
        self.attention, self.drop_path = LinearAttention(layer, dim), DropPath()
        self.local = FewerNormBottleneck(layer, t)

    def forward(self, x: Tensor) -> Tensor:
        return self.local(x + self.drop_path(self.attention(x)))


@module.register
def _(op: FewerNorm, layer: Layer) -> nn.Module:
    return FewerNormBottleneck(layer, op.t)


@module.register
def _(op: EfficientViT, layer: Layer) -> nn.Module:
    return EfficientViTBlock(layer, op.dim, op.t)
