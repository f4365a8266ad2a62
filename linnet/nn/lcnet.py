"""Modules of PP-LCNet (Cui 2021)."""

from __future__ import annotations

from torch import nn

from ..arch.lcnet import DepthSepConv
from ..arch.spec import Layer
from .conv import SqueezeExcite
from .mobilenet import SeparableConv
from .module import module


@module.register
def _(op: DepthSepConv, layer: Layer) -> nn.Module:
    gate = SqueezeExcite(layer.cin, max(1, round(layer.cin / 4)), act="relu", hard=True) if op.se else None
    return SeparableConv(layer, op.k, linear=False, gate=gate)
