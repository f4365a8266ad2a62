from __future__ import annotations

import pytest
import torch
from torch import nn

from linnet.errors import TrainingError
from linnet.training.guard import Guard, check_skipped


def test_statistics_come_back():
    net = nn.BatchNorm2d(3)
    guard = Guard(net)
    net(torch.randn(4, 3, 2, 2))
    guard.remember()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    net(torch.full((4, 3, 2, 2), float("nan")))
    assert net.running_mean.isnan().all()
    guard.restore()
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())


def test_a_network_without_buffers_needs_none():
    guard = Guard(nn.Linear(1, 1))
    guard.remember()
    guard.restore()


@pytest.mark.parametrize(
    ("in_a_row", "in_epoch", "steps", "stops"),
    [
        (9, 9, 100, False),
        (10, 10, 100_000, True),
        (1, 10, 100, True),  # 10 %
        (1, 10, 1000, False),  # 1 %, not more
        (1, 11, 1000, True),
        (1, 9, 20, False),  # much, but not 10 yet
    ],
)
def test_when_it_is_too_much(in_a_row, in_epoch, steps, stops):
    if not stops:
        check_skipped(in_a_row, in_epoch, steps, ["a.jpg"])
        return
    with pytest.raises(TrainingError, match=r"a\.jpg, b\.jpg, c\.jpg\. The last checkpoint is good"):
        check_skipped(in_a_row, in_epoch, steps, ["a.jpg", "b.jpg", "c.jpg", "d.jpg"])
