"""BatchNorm over fixed groups of samples, and without a trace where a forward pass is done twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm


class GroupedBatchNorm(_BatchNorm):
    """In training, statistics are those of each `group` consecutive samples; the running ones take the groups' mean.

    With groups that no process and no micro-batch cuts, neither changes the result. The price is one more copy of the
    output. A last group that is not whole is smaller, and counts less; one sample joins the group before it.
    Source of the idea: "ghost batch normalization" (Hoffer et al. 2017); EfficientNet's TPU cores took 128 images each.
    """

    group: int

    def forward(self, input: Tensor) -> Tensor:
        sizes = group_sizes(len(input), self.group)
        if not self.training or len(sizes) == 1:
            return super().forward(input)
        assert self.running_mean is not None
        assert self.running_var is not None
        # Each group moves a copy of the running statistics; the mean of what was moved is what their mean would move.
        means = self.running_mean.repeat(len(sizes), 1)
        variances = self.running_var.repeat(len(sizes), 1)
        found = [
            F.batch_norm(x, mean, variance, self.weight, self.bias, True, self.momentum or 0.0, self.eps)
            for x, mean, variance in zip(input.split(sizes), means, variances, strict=True)
        ]
        if self.momentum and self.num_batches_tracked is not None:  # else the statistics are held
            shares = means.new_tensor(sizes) / len(input)
            with torch.no_grad():
                # No matrix product: autocast would do it in bf16.
                self.running_mean.copy_((shares[:, None] * means).sum(0))
                self.running_var.copy_((shares[:, None] * variances).sum(0))
                self.num_batches_tracked.add_(1)
        return torch.cat(found)


class GroupedBatchNorm1d(GroupedBatchNorm, nn.BatchNorm1d):
    pass


class GroupedBatchNorm2d(GroupedBatchNorm, nn.BatchNorm2d):
    pass


GROUPED: dict[type[nn.Module], type[GroupedBatchNorm]] = {
    nn.BatchNorm1d: GroupedBatchNorm1d,
    nn.BatchNorm2d: GroupedBatchNorm2d,
}


def group_batch_norms(net: nn.Module, group: int) -> None:
    """Make every BatchNorm of `net` take its statistics over groups of `group` samples; names and weights stay."""
    for m in net.modules():
        kind = GROUPED.get(type(m))
        if kind is not None:
            m.__class__ = kind
            m.group = group  # type: ignore[assignment]


def group_sizes(n: int, group: int) -> list[int]:
    """How n samples fall into groups.

    >>> group_sizes(9, 4), group_sizes(10, 4), group_sizes(3, 4)
    ([4, 5], [4, 4, 2], [3])
    """
    sizes = [group] * (n // group) + [n % group] * (n % group > 0)
    return [*sizes[:-2], group + 1] if len(sizes) > 1 and sizes[-1] == 1 else sizes


def learning_batch_norms(net: nn.Module) -> list[_BatchNorm]:
    """Those whose running statistics a forward pass moves: in training mode."""
    return [m for m in net.modules() if isinstance(m, _BatchNorm) and m.training and m.running_mean is not None]


@contextmanager
def statistics_held(net: nn.Module) -> Iterator[None]:
    """Inside, a forward pass in training mode gives what it always gives, and leaves all running statistics alone."""
    held = [(m, m.momentum, m.num_batches_tracked) for m in learning_batch_norms(net)]
    for m, _, _ in held:
        m.momentum, m.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        for m, momentum, tracked in held:
            m.momentum, m.num_batches_tracked = momentum, tracked
