"""The one place where an operator finds its module. A package of your own registers here too:

@module.register
def _(op: MyOperator, layer: Layer) -> nn.Module: ...
"""

from __future__ import annotations

from functools import singledispatch

from torch import nn

from ..arch.spec import Layer, Operator
from ..errors import SettingError


@singledispatch
def module(op: Operator, layer: Layer) -> nn.Module:
    """The module of one layer: [B, *layer.input_shape] -> [B, *layer.output_shape]."""
    raise SettingError(
        f"The operator {type(op).__name__} has no module: register one with linnet.nn.module.module.register,"
        " or import the package that does."
    )
