"""For use, not for training: batch norms folded into their convolutions."""

from __future__ import annotations

import copy

import torch
from torch import nn

from .conv import ConvNorm
from .net import Net


@torch.no_grad()
def fold(net: Net) -> Net:
    """A copy in evaluation mode with every BatchNorm folded into its convolution: the same logits but for rounding."""
    net = copy.deepcopy(net).eval()
    for m in net.modules():
        if isinstance(m, ConvNorm) and isinstance(m.norm, nn.BatchNorm2d):
            norm = m.norm
            assert norm.running_mean is not None
            assert norm.running_var is not None
            # In float64, so that folding adds no error of its own.
            scale = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
            bias = norm.bias.double() - norm.running_mean.double() * scale
            m.weight.copy_(m.weight.double() * scale[:, None, None, None])
            m.bias = nn.Parameter(bias.to(m.weight.dtype))
            m.norm = nn.Identity()
    return net
