"""Training with int8's rounding in the forward pass, so that the weights learn to bear it (quantisation-aware training).

Rounding has no gradient: backward goes through it as if it were not there ("straight through"). What is rounded is what
linnet/deploy/runtime/onnx_int8.py rounds: weights int8 by output channel, without offset; activations uint8 by tensor, with
one. A batch norm that is folded scales each output channel as a whole, and its int8 step with it, so that rounding before
folding is rounding after it.
Source: Jacob et al. 2018 (arXiv 1712.05877), section 3; Krishnamoorthi 2018 (arXiv 1806.08342), section 3.2 (per channel)
and 4. Unlike theirs, activations' ranges are each image's own, not a moving average: no state to keep, and the same for an
image however a batch is cut into micro-batches and processes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from ..errors import SettingError
from ..nn.conv import ConvNorm
from ..nn.mobileone import Branches
from ..nn.net import Net
from ..nn.repvit import TokenMixer

Layer = nn.Conv2d | nn.Linear
CUT_OFF = nn.ReLU | nn.ReLU6  # a convolution's result is rounded behind these, not before
GATES = nn.Sigmoid | nn.Hardsigmoid
BRANCHED = Branches | TokenMixer


@contextmanager
def rounding(net: Net) -> Iterator[None]:
    """Inside, forward passes of `net` round as int8 does; backward belongs inside too. Afterwards it is as it was.

    The gradients are those at the rounded weights. Not rounded: what an activation or an attention multiplies inside, a sum
    before it reaches a layer, and the logits, which stay float32 in int8 too.
    """
    weights = [m.weight for m in net.modules() if isinstance(m, Layer)]
    kept = [w.detach().clone() for w in weights]
    hooks = [hook for m in net.modules() for hook in placed(m)]
    try:
        with torch.no_grad():
            for w in weights:
                w.copy_(rounded_weight(w))
        yield
    finally:
        for hook in hooks:
            hook.remove()
        with torch.no_grad():
            for w, own in zip(weights, kept, strict=True):
                w.copy_(own)


def placed(m: nn.Module) -> list[RemovableHandle]:
    """Hooks that round what goes into a layer, into and out of a gate, and what a convolution gives (its norm folded)."""
    hooks: list[RemovableHandle] = []
    if isinstance(m, Layer | GATES):
        hooks.append(m.register_forward_pre_hook(round_input))
    if isinstance(m, GATES):
        hooks.append(m.register_forward_hook(round_output))
    if isinstance(m, ConvNorm) and not isinstance(m.act, CUT_OFF):
        hooks.append(m.act.register_forward_pre_hook(round_input))
    return hooks


def round_input(_: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor]:
    return (rounded(given[0]),)


def round_output(_: nn.Module, __: Any, made: Tensor) -> Tensor:
    return rounded(made)


def refuse_branches(net: Net) -> None:
    """Raises: SettingError for a network whose branches become one convolution for use: that is rounded, not they."""
    if any(isinstance(m, BRANCHED) for m in net.modules()):
        raise SettingError(
            f"recipe: int8 rounds weights as they are exported, but branches of {net.arch.name} become one convolution then."
            " Leave int8 out for this network."
        )


@torch.no_grad()
def rounded_weight(weight: Tensor) -> Tensor:
    """Weights [out, ...] as int8 holds them: each output channel's largest is 127 steps, none is offset."""
    step = weight.abs().amax(tuple(range(1, weight.ndim)), keepdim=True) / 127
    step = torch.where(step == 0, 1.0, step)
    return (weight / step).round_().mul_(step)


def rounded(x: Tensor) -> Tensor:
    """Activations [B, ...] as uint8 holds them, each image in 255 steps from its least value to its largest, 0 among them."""
    return _Rounded.apply(x)  # type: ignore[no-any-return]


class _Rounded(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        inside = tuple(range(1, x.ndim))
        low, high = x.amin(inside, keepdim=True).clamp_(max=0), x.amax(inside, keepdim=True).clamp_(min=0)
        step = (high - low) / 255
        step = torch.where(step == 0, 1.0, step)
        zero = (low / step).round_()  # in steps: 0 is one of them
        return (x / step).sub_(zero).round_().clamp_(0, 255).add_(zero).mul_(step)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return gradients[0]
