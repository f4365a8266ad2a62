"""For use, not for training: batch norms folded into their convolutions, branches summed into one."""

from __future__ import annotations

import copy
from typing import Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm  # pyright: ignore[reportPrivateUsage]  (of one and two dimensions)

from .conv import ConvNorm

Module = TypeVar("Module", bound=nn.Module)


@runtime_checkable
class Foldable(Protocol):
    """A module that in evaluation does what a plainer one does.

    `folded` gives that one; it may be made of the module's own parts, which belong to a copy. What is inside the module
    was folded before, gradients are off, and the weights are in float64 whatever the network's type.
    """

    def folded(self) -> nn.Module: ...


@torch.no_grad()
def fold(net: Module) -> Module:
    """A copy in evaluation mode with every BatchNorm folded into its convolution: the same logits but for rounding.

    Modules that know a plain equivalent (`Foldable`) are replaced by it: branches become one convolution.
    """
    dtype = next(net.parameters()).dtype
    net = copy.deepcopy(net).double()  # so that folding adds no error of its own
    _fold_inside(net)
    return net.to(dtype).eval()


def _fold_inside(parent: nn.Module) -> None:
    for name, child in list(parent.named_children()):
        _fold_inside(child)
        if isinstance(child, ConvNorm) and isinstance(child.norm, nn.BatchNorm2d):
            absorb(child, child.norm)
            child.norm = nn.Identity()
        elif isinstance(child, Foldable):
            setattr(parent, name, child.folded())


def affine(norm: _BatchNorm) -> tuple[Tensor, Tensor]:
    """Scale and shift [C] of a batch norm, which in evaluation is scale * x + shift."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return scale, norm.bias - norm.running_mean * scale


def absorb(conv: nn.Conv2d, norm: _BatchNorm) -> None:
    """Make `conv` do what it and the batch norm behind it do."""
    scale, shift = affine(norm)
    conv.weight.mul_(scale[:, None, None, None])
    conv.bias = nn.Parameter(shift if conv.bias is None else conv.bias * scale + shift)
