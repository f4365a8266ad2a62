"""A batch whose loss or gradient is not finite leaves no trace: not in the weights, not in BatchNorm's statistics."""

# pyright: reportPrivateImportUsage=false
# (torch._foreach_* is what torch's own optimisers are made of; it has no public name yet)

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from ..errors import TrainingError

IN_A_ROW = 10
SHARE = 0.01  # of an epoch's steps, when there are at least IN_A_ROW of them


class Guard:
    """Remembers the buffers before a forward pass, which changes them even when the step is skipped."""

    def __init__(self, net: nn.Module) -> None:
        self._live = list(net.buffers())
        self._kept = [buffer.clone() for buffer in self._live]

    def remember(self) -> None:
        if self._live:
            torch._foreach_copy_(self._kept, self._live)

    def restore(self) -> None:
        if self._live:
            torch._foreach_copy_(self._live, self._kept)


def check_skipped(in_a_row: int, in_epoch: int, steps: int, paths: Sequence[str]) -> None:
    """Give up when too many steps were not finite.

    Raises: TrainingError at 10 in a row, or at more than 1 % of the epoch's `steps` and at least 10.
    """
    if in_a_row < IN_A_ROW and not (in_epoch >= IN_A_ROW and in_epoch > SHARE * steps):
        return
    raise TrainingError(
        f"The loss is not finite: {in_a_row} steps in a row, {in_epoch} of this epoch's {steps} were skipped."
        f" The last batch began with {', '.join(paths[:3])}. The last checkpoint is good."
        " Lower the learning rate, set clip (such as 1.0) or precision to fp32, and train anew."
    )
