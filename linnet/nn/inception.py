"""Modules of the Inception operators: Inception (V1) and InceptionV3."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..arch.inception import Branch, Inception, InceptionV3, Step, filters, step_channels
from ..arch.spec import Layer
from .conv import ConvNorm
from .module import module


class Branches(nn.ModuleList):
    """[B, cin, H, W] -> the branches' channels one after the other (Szegedy 2015, Figure 2).

    Submodules are `<branch>.<step>`, and `<branch>.<step>.<filter>` where filters stand side by side.
    """

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self], 1)


def _branch(branch: Branch, layer: Layer, *, padded: bool) -> nn.Module:
    """Steps one after the other; the last takes the layer's stride, and then pads nothing unless it is `padded`."""
    steps, c = nn.Sequential(), layer.cin
    for i, step in enumerate(branch):
        stride = layer.stride if i == len(branch) - 1 else 1
        steps.append(_step(step, c, layer, stride, pads=padded or stride == 1))
        c = step_channels(step, c)
    return steps


def _step(step: Step, cin: int, layer: Layer, stride: int, *, pads: bool) -> nn.Module:
    dilation, pad = layer.dilation, None if pads else 0
    # Pools with padding see the nearest pixels even where convolutions are dilated: PyTorch's pad no wider.
    if step == "maximum":
        return nn.MaxPool2d(3, stride, 1) if pads else nn.MaxPool2d(3, stride, 0, dilation)
    if step == "average":  # zeros at the edge count, as in timm and torchvision (TF-slim leaves them out)
        return nn.AvgPool2d(3, stride, 1 if pads else 0)
    convs = [
        ConvNorm(cin, c, (h, w), layer.style, stride=stride, dilation=dilation, pad=pad) for h, w, c in filters(step)
    ]
    return convs[0] if len(convs) == 1 else Branches(convs)


@module.register
def _(op: Inception, layer: Layer) -> nn.Module:
    return Branches(_branch(branch, layer, padded=True) for branch in op.branches)


@module.register
def _(op: InceptionV3, layer: Layer) -> nn.Module:
    return Branches(_branch(branch, layer, padded=False) for branch in op.branches)
