"""Modules of MobileNetV4 (Qin 2024): UIB, MQA."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..arch.mobilenetv4 import MQA, UIB
from ..arch.scale import round_channels
from ..arch.spec import Act, Layer
from ..errors import SettingError
from .conv import ConvNorm, DropPath, added, norm
from .mobilenet import keeps_shape
from .module import module
from .undrawn import Conv2d


class LayerScale(nn.Module):
    """A learned factor per channel of a map [B, C, H, W], 1e-5 at first (Touvron 2021, CaiT, section 2)."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((c,), 1e-5))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma[:, None, None]


class UniversalBottleneck(nn.Module):
    """[B, cin, H, W] -> [B, cout, ceil(H / stride), ...], the input added where the shape allows: Qin 2024, Figure 4."""

    def __init__(self, op: UIB, layer: Layer) -> None:
        super().__init__()
        if layer.stride > 1 and not (op.start or op.mid):
            raise SettingError(
                "A UIB without a depthwise convolution has nothing to stride with: give it start or mid."
            )
        mid, style = round_channels(layer.cin * op.t), layer.style

        def depthwise(c: int, k: int, stride: int, act: Act | None) -> nn.Module:
            if not k:
                return nn.Identity()
            return ConvNorm(c, c, k, style, stride=stride, groups=c, dilation=layer.dilation, act=act)

        self.start = depthwise(layer.cin, op.start, 1 if op.mid else layer.stride, "identity")
        self.expand = ConvNorm(layer.cin, mid, 1, style)
        self.depthwise = depthwise(mid, op.mid, layer.stride, None)
        self.project = ConvNorm(mid, layer.cout, 1, style, act="identity")
        self.scale: nn.Module = LayerScale(layer.cout) if op.layer_scale else nn.Identity()
        self.drop_path = DropPath() if keeps_shape(layer) else None

    def forward(self, x: Tensor) -> Tensor:
        y = self.scale(self.project(self.depthwise(self.expand(self.start(x)))))
        return y if self.drop_path is None else added(x, self.drop_path(y))

    def folded(self) -> nn.Module:
        """The same with the layer scale in the projection; see `linnet.nn.fold`."""
        self.scale = absorb_scale(self.project, self.scale)
        return self


class MultiQueryAttention(nn.Module):
    """x + attention(norm(x)), [B, C, H, W] -> the same; Qin 2024, section 4 (Mobile MQA)."""

    def __init__(self, op: MQA, layer: Layer) -> None:
        super().__init__()
        c, self.heads = layer.cin, op.heads
        self.norm = norm(c, layer.style)
        self.query = Conv2d(c, op.heads * op.key, 1, bias=False)
        self.shrink_key, self.key = self._shrink(op, layer), Conv2d(c, op.key, 1, bias=False)
        self.shrink_value, self.value = self._shrink(op, layer), Conv2d(c, op.key, 1, bias=False)
        self.project = Conv2d(op.heads * op.key, layer.cout, 1, bias=False)
        self.scale: nn.Module = LayerScale(layer.cout)
        self.drop_path = DropPath()

    @staticmethod
    def _shrink(op: MQA, layer: Layer) -> nn.Module:
        if op.kv_stride == 1:
            return nn.Identity()
        return ConvNorm(layer.cin, layer.cin, 3, layer.style, stride=op.kv_stride, groups=layer.cin,
                        dilation=layer.dilation, act="identity")  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(x)
        q = tokens(self.query(y)).unflatten(2, (self.heads, -1)).transpose(1, 2)  # [B, heads, H * W, key]
        k, v = tokens(self.key(self.shrink_key(y))), tokens(self.value(self.shrink_value(y)))
        k, v = (t.unsqueeze(1).expand(-1, self.heads, -1, -1) for t in (k, v))  # views of the one head
        y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)  # [B, H * W, heads * key]
        y = self.project(y.transpose(1, 2).unflatten(2, x.shape[2:]))
        return added(x, self.drop_path(self.scale(y)))

    def folded(self) -> nn.Module:
        """The same with the layer scale in the projection; see `linnet.nn.fold`."""
        self.scale = absorb_scale(self.project, self.scale)
        return self


def absorb_scale(conv: nn.Conv2d, scale: nn.Module) -> nn.Module:
    """Make `conv` do what it and the layer scale behind it do; what is left of that."""
    if isinstance(scale, LayerScale):
        conv.weight.mul_(scale.gamma[:, None, None, None])
        if conv.bias is not None:
            conv.bias.mul_(scale.gamma)
    return nn.Identity()


def tokens(x: Tensor) -> Tensor:
    """[B, C, H, W] -> [B, H * W, C] with the channels side by side, as fast attention wants: a view in channels-last."""
    return x.flatten(2).transpose(1, 2).contiguous()


@module.register
def _(op: UIB, layer: Layer) -> nn.Module:
    return UniversalBottleneck(op, layer)


@module.register
def _(op: MQA, layer: Layer) -> nn.Module:
    return MultiQueryAttention(op, layer)
