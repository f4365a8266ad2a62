"""MobileNetV4 hybrid (Qin 2024): universal inverted bottlenecks, and attention whose heads share keys and values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from linnet.arch.efficientnet import FusedMBConv
from linnet.arch.scale import round_channels
from linnet.arch.spec import Act, Arch, Classifier, Conv, Dropout, Layer, Linear, Operator, Pool, Stage, Style
from linnet.nn.conv import ConvNorm, DropPath, norm
from linnet.nn.mobilenet import keeps_shape
from linnet.nn.module import module


@dataclass(frozen=True)
class UIB(Operator):
    """Universal inverted bottleneck: [depthwise], expand to t x the input, [depthwise], project; 0 leaves one out.

    Both is the paper's ExtraDW, only `start` ConvNeXt, only `mid` IB, none FFN.
    """

    t: float
    start: int = 0
    mid: int = 0
    units: ClassVar[int] = 1


@dataclass(frozen=True)
class MQA(Operator):
    """Mobile multi-query attention: keys and values of one head, taken from a map `kv_stride` x smaller."""

    heads: int = 4
    key: int = 64
    kv_stride: int = 1
    units: ClassVar[int] = 1


# fmt: off
mobilenetv4_hybrid_medium = Arch("mobilenetv4_hybrid_medium", image=256,                     # Qin 2024, MNv4-Hybrid-M
    style=Style(act="relu"), source="arXiv 2404.10518; rows as in timm mobilenetv3.py, _gen_mobilenet_v4",
    stem=(Stage(Conv(k=3),              32, 1, 2),),
    stages=(  # operator           channels layers stride
        Stage(FusedMBConv(t=4, k=3),        48, 1, 2),
        Stage(UIB(t=4, start=3, mid=5),     80, 1, 2),
        Stage(UIB(t=2, start=3, mid=3),     80, 1, 1),
        Stage(UIB(t=6, start=3, mid=5),    160, 1, 2),
        Stage(UIB(t=2),                    160, 1, 1),
        Stage(UIB(t=4, start=3, mid=3),    160, 1, 1),
        Stage(UIB(t=4, start=3, mid=5),    160, 1, 1),
        Stage((MQA(kv_stride=2), UIB(t=4, start=3, mid=3),
               MQA(kv_stride=2), UIB(t=4, start=3)),          160, 8, 1),
        Stage(UIB(t=6, start=5, mid=5),    256, 1, 2),
        Stage(UIB(t=4, start=5, mid=5),    256, 1, 1),
        Stage(UIB(t=4, start=3, mid=5),    256, 2, 1),
        Stage(UIB(t=2),                    256, 1, 1),
        Stage(UIB(t=2, start=3, mid=5),    256, 1, 1),
        Stage(UIB(t=2),                    256, 1, 1),
        Stage(UIB(t=4),                    256, 1, 1),
        Stage((MQA(), UIB(t=4, start=3)),  256, 2, 1),
        Stage((MQA(), UIB(t=4, start=5, mid=5)),              256, 2, 1),
        Stage((MQA(), UIB(t=4, start=5)),  256, 4, 1)),
    head=(Conv(960, k=1), Pool(), Linear(1280, norm="batch"), Dropout(), Classifier()))
# fmt: on


class LayerScale(nn.Module):
    """A learned factor per channel of a map, small at first."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((c,), 1e-5))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma[:, None, None]


class UniversalBottleneck(nn.Module):
    """[B, cin, H, W] -> [B, cout, ceil(H / stride), ...]; Qin 2024, universal inverted bottleneck."""

    def __init__(self, op: UIB, layer: Layer) -> None:
        super().__init__()
        mid = round_channels(layer.cin * op.t)

        def depthwise(c: int, k: int, stride: int, act: Act | None) -> nn.Module:
            return ConvNorm(c, c, k, layer.style, stride=stride, groups=c, act=act) if k else nn.Identity()

        self.start = depthwise(layer.cin, op.start, 1 if op.mid else layer.stride, "identity")
        self.expand = ConvNorm(layer.cin, mid, 1, layer.style)
        self.depthwise = depthwise(mid, op.mid, layer.stride, None)
        self.project = ConvNorm(mid, layer.cout, 1, layer.style, act="identity")
        self.scale = LayerScale(layer.cout)
        self.drop_path = DropPath() if keeps_shape(layer) else None

    def forward(self, x: Tensor) -> Tensor:
        y = self.scale(self.project(self.depthwise(self.expand(self.start(x)))))
        return y if self.drop_path is None else x + self.drop_path(y)


class MultiQueryAttention(nn.Module):
    """x + attention(norm(x)), [B, C, H, W] -> the same; Qin 2024, Mobile MQA."""

    def __init__(self, op: MQA, layer: Layer) -> None:
        super().__init__()
        c, self.heads = layer.cin, op.heads
        linear = {"kernel_size": 1, "bias": False}
        self.norm = norm(c, layer.style)
        self.query = nn.Conv2d(c, op.heads * op.key, **linear)
        self.shrink_key, self.shrink_value = (
            ConvNorm(c, c, 3, layer.style, stride=op.kv_stride, groups=c, act="identity")
            if op.kv_stride > 1
            else nn.Identity()
            for _ in range(2)
        )
        self.key, self.value = nn.Conv2d(c, op.key, **linear), nn.Conv2d(c, op.key, **linear)
        self.project = nn.Conv2d(op.heads * op.key, layer.cout, **linear)
        self.scale, self.drop_path = LayerScale(layer.cout), DropPath()

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(x)
        q = self.query(y).flatten(2).unflatten(1, (self.heads, -1)).transpose(2, 3)  # [B, heads, H * W, key]
        k, v = self.key(self.shrink_key(y)), self.value(self.shrink_value(y))
        k, v = (t.flatten(2).transpose(1, 2).unsqueeze(1) for t in (k, v))  # [B, 1, H * W / kv_stride^2, key]
        y = F.scaled_dot_product_attention(q, k.expand(-1, self.heads, -1, -1), v.expand(-1, self.heads, -1, -1))
        y = y.transpose(2, 3).flatten(1, 2).unflatten(2, x.shape[2:])
        return x + self.drop_path(self.scale(self.project(y)))


@module.register
def _(op: UIB, layer: Layer) -> nn.Module:
    return UniversalBottleneck(op, layer)


@module.register
def _(op: MQA, layer: Layer) -> nn.Module:
    return MultiQueryAttention(op, layer)
