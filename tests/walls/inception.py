"""Inception-v3 (Szegedy 2016): parallel branches, valid padding, kernels that are not square."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from linnet.arch.spec import (
    Arch,
    Classifier,
    Conv,
    Dropout,
    Layer,
    MaxPool,
    Operator,
    Pool,
    Scaling,
    Size,
    Stage,
    Style,
)
from linnet.nn.conv import ConvNorm
from linnet.nn.module import module

Step = tuple[int, int, int]  # kernel height, kernel width, channels
Branch = tuple[Step | Literal["average", "maximum"] | tuple[Step, ...], ...]  # steps in a step: side by side


@dataclass(frozen=True)
class Inception(Operator):
    """Branches of one input, concatenated. With a stride of 2 each branch ends in a 3 x 3 without padding."""

    branches: tuple[Branch, ...]

    def out_size(self, size: Size, stride: int, dilation: int) -> Size:
        return size if stride == 1 else tuple((n - 3) // stride + 1 for n in size)

    def out_channels(self, cin: int, channels: int, size: Size) -> int:
        return sum(_channels(branch[-1], cin) for branch in self.branches)

    def widened(self, cin: int, wide: int, scaling: Scaling) -> Inception:
        def wider(step):
            if isinstance(step, str):
                return step
            if isinstance(step[0], tuple):
                return tuple(wider(s) for s in step)
            return (*step[:2], scaling.channels(step[2], wide / cin))

        return replace(self, branches=tuple(tuple(wider(step) for step in branch) for branch in self.branches))


def _channels(step: Step | str | tuple[Step, ...], cin: int) -> int:
    if isinstance(step, str):
        return cin
    return sum(s[2] for s in step) if isinstance(step[0], tuple) else step[2]


# fmt: off
def _a(pool: int) -> Inception:                                                               # Figure 5
    return Inception((((1, 1, 64),),
                      ((1, 1, 48), (5, 5, 64)),
                      ((1, 1, 64), (3, 3, 96), (3, 3, 96)),
                      ("average", (1, 1, pool))))

def _c(c: int) -> Inception:                                                                  # Figure 6
    return Inception((((1, 1, 192),),
                      ((1, 1, c), (1, 7, c), (7, 1, 192)),
                      ((1, 1, c), (7, 1, c), (1, 7, c), (7, 1, c), (1, 7, 192)),
                      ("average", (1, 1, 192))))

_b = Inception((((3, 3, 384),), ((1, 1, 64), (3, 3, 96), (3, 3, 96)), ("maximum",)))          # Figure 10
_d = Inception((((1, 1, 192), (3, 3, 320)), ((1, 1, 192), (1, 7, 192), (7, 1, 192), (3, 3, 192)), ("maximum",)))
_fork = ((1, 3, 384), (3, 1, 384))
_e = Inception((((1, 1, 320),), ((1, 1, 384), _fork), ((1, 1, 448), (3, 3, 384), _fork), ("average", (1, 1, 192))))

inception_v3 = Arch("inception_v3", image=299,                                                # Szegedy 2016, Table 1
    style=Style(act="relu", eps=1e-3), source="arXiv 1512.00567, Table 1; widths from tensorflow/models inception_v3.py",
    stem=(Stage(Conv(k=3, pad=0),         32, 1, 2),
          Stage(Conv(k=3, pad=0),         32, 1, 1),
          Stage(Conv(k=3),                64, 1, 1),
          Stage(MaxPool(k=3, pad=0),       0, 1, 2),
          Stage(Conv(k=1),                80, 1, 1),
          Stage(Conv(k=3, pad=0),        192, 1, 1),
          Stage(MaxPool(k=3, pad=0),       0, 1, 2)),
    stages=(  # operator            channels layers stride
        Stage(_a(32),                      0, 1, 1),
        Stage(_a(64),                      0, 2, 1),
        Stage(_b,                          0, 1, 2),
        Stage(_c(128),                     0, 1, 1),
        Stage(_c(160),                     0, 2, 1),
        Stage(_c(192),                     0, 1, 1),
        Stage(_d,                          0, 1, 2),
        Stage(_e,                          0, 2, 1)),
    head=(Pool(), Dropout(), Classifier()))
# fmt: on


class Branches(nn.ModuleList):
    """[B, cin, H, W] -> the branches' channels one after the other."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self], 1)


def _step(step: Step | str | tuple[Step, ...], cin: int, layer: Layer, *, last: bool) -> nn.Module:
    shrink = last and layer.stride > 1
    if isinstance(step, str):
        return nn.MaxPool2d(3, layer.stride) if step == "maximum" else nn.AvgPool2d(3, 1, 1)
    if isinstance(step[0], tuple):
        return Branches(_step(s, cin, layer, last=last) for s in step)
    h, w, c = step
    stride, pad = (layer.stride, 0) if shrink else (1, None)
    return ConvNorm(cin, c, (h, w), layer.style, stride=stride, pad=pad)


@module.register
def _(op: Inception, layer: Layer) -> nn.Module:
    branches = Branches()
    for branch in op.branches:
        steps, c = nn.Sequential(), layer.cin
        for i, step in enumerate(branch):
            steps.append(_step(step, c, layer, last=i == len(branch) - 1))
            c = _channels(step, c)
        branches.append(steps)
    return branches
