"""Depthwise convolution whose backward pass is fast on a CPU in bf16.

There three quarters of an EfficientNet's training step are the backward passes of its depthwise convolutions, and nearly
all of that falls on two cases that oneDNN leaves to its reference code (benchmarks/depthwise.py has the figures):

- the input's gradient under a stride: here it is a convolution without stride, over the gradient with zeros put
  between its pixels;
- the weight's gradient of kernels wider than 3: here it is put together from 3 x 3 windows of the kernel, each the
  weight's gradient of a 3 x 3 convolution over the shifted input, which has fast code.

The gradients are the same sums; only the order of their terms differs.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F


def pays_off(x: Tensor) -> bool:
    """Whether a backward pass may follow on a CPU in bf16; elsewhere PyTorch's own is as fast or faster."""
    if x.device.type != "cpu" or not torch.is_grad_enabled() or torch.compiler.is_compiling():
        return False
    return (torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype) == torch.bfloat16


def depthwise_conv(x: Tensor, weight: Tensor, stride: int, pad: int) -> Tensor:
    """x [B, C, H, W], weight [C, 1, k, k] -> [B, C, (H + 2 pad - k) // stride + 1, ...] in bf16; pad < k."""
    return _Depthwise.apply(x.to(torch.bfloat16), weight.to(torch.bfloat16), stride, pad)  # type: ignore[no-any-return]


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int, pad: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.pad = stride, pad
        return F.conv2d(x, weight, None, stride, pad, 1, len(weight))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        x, weight = ctx.saved_tensors
        g = gradients[0].contiguous(memory_format=torch.channels_last)
        for_input = input_gradient(x, weight, g, ctx.stride, ctx.pad) if ctx.needs_input_grad[0] else None
        for_weight = weight_gradient(x, weight, g, ctx.stride, ctx.pad) if ctx.needs_input_grad[1] else None
        return for_input, for_weight, None, None


def input_gradient(x: Tensor, weight: Tensor, g: Tensor, stride: int, pad: int) -> Tensor:
    if stride == 1:
        return _plain(x, weight, g, stride, pad, which=0)
    k = weight.shape[-1]
    height, width = (n + 2 * pad - k + 1 for n in x.shape[2:])  # of the output, had there been no stride
    spread = g.new_zeros((*x.shape[:2], height, width)).contiguous(memory_format=torch.channels_last)
    spread[:, :, ::stride, ::stride] = g
    return F.conv2d(spread, weight.flip(2, 3), None, 1, k - 1 - pad, 1, len(weight))


def weight_gradient(x: Tensor, weight: Tensor, g: Tensor, stride: int, pad: int) -> Tensor:
    c, k = len(weight), weight.shape[-1]
    if k <= 3:
        return _plain(x, weight, g, stride, pad, which=1)
    padded = F.pad(x, (pad, pad, pad, pad))
    height, width = ((n - 1) * stride + 3 for n in g.shape[2:])  # what a 3 x 3 kernel sees of the padded input
    window, whole = weight.new_empty((c, 1, 3, 3)), torch.empty_like(weight)
    # Windows of 3 that end at the kernel's edge: 0 and 2 for k = 5 (the middle row is computed twice).
    starts = sorted({min(i, k - 3) for i in range(0, k, 3)})
    for i in starts:
        for j in starts:
            seen = padded[:, :, i : i + height, j : j + width].contiguous(memory_format=torch.channels_last)
            whole[:, :, i : i + 3, j : j + 3] = _plain(seen, window, g, stride, 0, which=1)
    return whole


def _plain(x: Tensor, weight: Tensor, g: Tensor, stride: int, pad: int, *, which: int) -> Tensor:
    wanted = [which == 0, which == 1, False]
    return torch.ops.aten.convolution_backward(
        g, x, weight, [0], [stride, stride], [pad, pad], [1, 1], False, [0, 0], len(weight), wanted
    )[which]
