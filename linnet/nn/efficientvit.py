"""Modules of EfficientViT of MIT (Cai 2023): FewerNorm, EfficientViT.

As in the released training, the last norm of a residual branch starts at zero (apps/utils/init.py, zero_last_gamma);
those of MBConv and SepConv, which other families share, start at one here.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..arch.efficientvit import EfficientViT, FewerNorm
from ..arch.spec import Layer
from .conv import ConvNorm, DropPath, added
from .depthwise import depthwise_conv, pays_off
from .mobilenet import keeps_shape
from .module import module
from .undrawn import Conv2d

SUM_EPS = 1e-5  # beside the sum of an attention's weights, which ReLU may make zero


class FewerNormBottleneck(nn.Module):
    """Expand, depthwise, project, of which the last alone has a norm: [B, cin, H, W] -> [B, cout, ceil(H / stride), ...].

    The input is added where the shape allows.
    """

    def __init__(self, layer: Layer, t: float) -> None:
        super().__init__()
        mid, plain = round(layer.cin * t), replace(layer.style, norm="none")
        self.expand = ConvNorm(layer.cin, mid, 1, plain)
        self.depthwise = ConvNorm(mid, mid, 3, plain, stride=layer.stride, groups=mid, dilation=layer.dilation)
        self.project = ConvNorm(mid, layer.cout, 1, layer.style, act="identity")
        self.drop_path = DropPath() if keeps_shape(layer) else None
        if self.drop_path is not None:
            _start_at_zero(self.project)

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(self.depthwise(self.expand(x)))
        return y if self.drop_path is None else added(x, self.drop_path(y))


class Neighbourhood(Conv2d):
    """5 x 5 depthwise convolution without norm or bias: [B, C, H, W] -> the same."""

    def __init__(self, c: int, dilation: int) -> None:
        super().__init__(c, c, 5, padding=2 * dilation, dilation=dilation, groups=c, bias=False)

    def forward(self, input: Tensor) -> Tensor:
        if self.dilation == (1, 1) and pays_off(input):
            return depthwise_conv(input, self.weight, 1, 2)
        return super().forward(input)


class LinearAttention(nn.Module):
    """relu(q) (relu(k)^T v) over the sum of its weights, on the map and on its 5 x 5 aggregate: [B, C, H, W] -> the same.

    With k^T v first, [dim, dim], the cost grows with the pixels and not with their square (Cai 2023, section 3.1).
    """

    def __init__(self, layer: Layer, op: EfficientViT) -> None:
        super().__init__()
        self.dim, heads = op.dim, op.heads(layer.cin)
        width = 3 * heads * op.dim
        self.qkv = Conv2d(layer.cin, width, 1, bias=False)
        self.aggregate = nn.Sequential(
            Neighbourhood(width, layer.dilation), Conv2d(width, width, 1, groups=3 * heads, bias=False)
        )
        self.project = ConvNorm(2 * heads * op.dim, layer.cout, 1, layer.style, act="identity")
        _start_at_zero(self.project)

    def forward(self, x: Tensor) -> Tensor:
        fine = self.qkv(x)
        # [B, heads of both scales, H * W, 3 * dim]: of a channels-last map views, which one copy puts together.
        tokens = torch.cat([self._tokens(fine), self._tokens(self.aggregate(fine))], 1)
        device = "cpu" if x.is_meta else x.device.type
        # In float32 at least: sums over all pixels leave float16's range.
        with torch.autocast(device, enabled=False) if torch.is_autocast_enabled(device) else nullcontext():
            y = self._attend(tokens.to(torch.promote_types(tokens.dtype, torch.float32))).to(fine.dtype)
        if x.is_contiguous(memory_format=torch.channels_last):
            y = y.transpose(1, 2).flatten(2).unflatten(1, x.shape[2:]).permute(0, 3, 1, 2)
        else:
            y = y.transpose(2, 3).flatten(1, 2).unflatten(2, x.shape[2:])
        return self.project(y)

    def _tokens(self, y: Tensor) -> Tensor:
        return y.flatten(2).unflatten(1, (-1, 3 * self.dim)).transpose(2, 3)

    def _attend(self, tokens: Tensor) -> Tensor:
        q, k = tokens[..., : 2 * self.dim].relu().chunk(2, -1)
        v = F.pad(tokens[..., 2 * self.dim :], (0, 1), value=1.0)  # its last column sums the weights
        y = q @ (k.transpose(2, 3) @ v)
        return y[..., :-1] / (y[..., -1:] + SUM_EPS)


class EfficientViTBlock(nn.Module):
    """[B, C, H, W] -> the same; attention for context, a depthwise convolution for detail: Cai 2023, Figure 2."""

    def __init__(self, layer: Layer, op: EfficientViT) -> None:
        super().__init__()
        self.attention, self.drop_path = LinearAttention(layer, op), DropPath()
        self.local = FewerNormBottleneck(layer, op.t)

    def forward(self, x: Tensor) -> Tensor:
        return self.local(added(x, self.drop_path(self.attention(x))))


def _start_at_zero(last: ConvNorm) -> None:
    if isinstance(last.norm, nn.BatchNorm2d | nn.GroupNorm):
        nn.init.zeros_(last.norm.weight)


@module.register
def _(op: FewerNorm, layer: Layer) -> nn.Module:
    return FewerNormBottleneck(layer, op.t)


@module.register
def _(op: EfficientViT, layer: Layer) -> nn.Module:
    return EfficientViTBlock(layer, op)
