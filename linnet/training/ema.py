"""The average of the weights over the steps, which is what gets validated and kept."""

# pyright: reportPrivateImportUsage=false
# (torch._foreach_* is what torch's own optimisers are made of; it has no public name yet)

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


class Ema:
    """`net` is a copy whose weights and BatchNorm statistics follow the trained ones.

    Update t (from 1) takes the share 1 - min(decay, (1 + t) / (10 + t)) of the new values, so that a short run is not
    an average over its first weights. With decay 0 the copy equals the trained network.
    Source: tf.train.ExponentialMovingAverage(num_updates=global_step), as tensorflow/tpu efficientnet main.py uses it,
    which averages the moving mean and variance too.
    """

    def __init__(self, net: nn.Module, decay: float) -> None:
        self.decay, self.updates = decay, 0
        self.net = copy.deepcopy(net).eval().requires_grad_(False)
        pairs = list(zip(self.net.state_dict().values(), net.state_dict().values(), strict=True))
        self._average, self._new = _columns([p for p in pairs if p[0].is_floating_point()])
        self._counts, self._new_counts = _columns([p for p in pairs if not p[0].is_floating_point()])

    @torch.no_grad()
    def update(self) -> None:
        self.updates += 1
        share = 1 - min(self.decay, (1 + self.updates) / (10 + self.updates))
        torch._foreach_lerp_(self._average, self._new, share)
        if self._counts:
            torch._foreach_copy_(self._counts, self._new_counts)

    def state_dict(self) -> dict[str, Tensor]:
        return self.net.state_dict()


def _columns(pairs: list[tuple[Tensor, Tensor]]) -> tuple[list[Tensor], list[Tensor]]:
    return [a for a, _ in pairs], [b for _, b in pairs]
