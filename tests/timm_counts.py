"""What timm's networks cost, counted on timm's own code: the truth for families that tests/golden does not hold."""

from __future__ import annotations

from typing import NamedTuple

import timm
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


class Counted(NamedTuple):
    params: int
    bn_stats: int
    madds: int  # of convolutions and linear layers
    attention_madds: int


def counted(net: nn.Module, side: int) -> Counted:
    """Of a network on the meta device, for one image of that side."""
    flops = FlopCounterMode(display=False)
    with torch.no_grad(), flops:
        net.eval()(torch.empty(1, 3, side, side, device="meta"))
    products = {str(op).split(".")[-1]: n // 2 for op, n in flops.get_flop_counts()["Global"].items()}
    madds = sum(products.pop(op, 0) for op in ("convolution", "addmm", "mm"))
    stats = [b.numel() for name, b in net.named_buffers() if name.endswith(("running_mean", "running_var"))]
    return Counted(sum(p.numel() for p in net.parameters()), sum(stats), madds, sum(products.values()))


def timm_counts(name: str, side: int) -> Counted:
    """As it is trained: with all branches, before timm's `reparameterize_model`."""
    with torch.device("meta"):
        return counted(timm.create_model(name), side)
