"""What drops at random in training: dropout and drop path, for a whole batch or a part of one."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional as F


class Part(NamedTuple):
    """Which samples of a batch of `of` a forward pass sees: those from `first` on.

    Several processes, or micro-batches one after the other, drop together what one forward pass over the whole batch would
    drop: each draws for the whole batch, from the same seed, and takes its own samples' draws.
    """

    first: int
    of: int


class Dropout(nn.Dropout):
    """Dropout that knows of which part of a batch its input is; none: it is the batch."""

    part: Part | None = None

    def forward(self, input: Tensor) -> Tensor:
        if self.part is None or not self.training:
            return super().forward(input)
        whole = F.dropout(input.new_ones((self.part.of, *input.shape[1:])), self.p)
        return input * whole[self.part.first : self.part.first + len(input)]


class DropPath(nn.Module):
    """Stochastic depth: in training, drops a residual branch for whole samples (Huang 2016), scaled to keep the mean.

    Where a sample has several `rows` of the input (MobileViT's places in a patch), each row is dropped by itself.
    """

    part: Part | None = None
    rows, rate = 1, 0.0

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.rate == 0:
            return x
        keep, part = 1 - self.rate, self.part or Part(0, len(x) // self.rows)
        whole = x.new_empty((part.of * self.rows,) + (1,) * (x.ndim - 1)).bernoulli_(keep).div_(keep)
        first = part.first * self.rows
        return x * whole[first : first + len(x)]

    def extra_repr(self) -> str:
        return f"rate={self.rate:.3f}"


def see_part(net: nn.Module, part: Part | None) -> None:
    """Tell all that drops in `net` which part of a batch comes next; none: all of it."""
    for m in net.modules():
        if isinstance(m, Dropout | DropPath):
            m.part = part
