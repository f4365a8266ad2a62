from __future__ import annotations

import pytest
import torch
from torch import nn

from linnet.training.ema import Ema


@pytest.fixture
def net():
    net = nn.Sequential(nn.Linear(1, 1, bias=False), nn.BatchNorm1d(1))
    nn.init.zeros_(net[0].weight)
    return net


def test_values_by_hand(net):
    """Weights 1, 2, 3 after an average that starts at 0; shares 1 - 2/11, 1 - 3/12, then 1 - 0.2 (the decay's own)."""
    ema, expected = Ema(net, 0.2), 0.0
    for t, share in ((1, 1 - 2 / 11), (2, 1 - 0.2), (3, 1 - 0.2)):
        net[0].weight.data.fill_(float(t))
        ema.update()
        expected += share * (t - expected)
        assert ema.net[0].weight.item() == pytest.approx(expected, rel=1e-6)


def test_a_long_decay_warms_up(net):
    ema, expected = Ema(net, 0.9999), 0.0
    for t in range(1, 30):
        net[0].weight.data.fill_(float(t))
        ema.update()
        expected += (1 - (1 + t) / (10 + t)) * (t - expected)
    assert ema.net[0].weight.item() == pytest.approx(expected, rel=1e-5)
    assert ema.updates == 29


def test_statistics_are_averaged_and_counted(net):
    ema = Ema(net, 0.5)
    net(torch.full((4, 1), 3.0))
    net[1].running_mean.fill_(8.0)
    ema.update()
    assert ema.net[1].running_mean.item() == pytest.approx(8 * (1 - 2 / 11))
    assert ema.net[1].num_batches_tracked == 1


def test_decay_0_is_the_network_itself(net):
    ema = Ema(net, 0.0)
    net[0].weight.data.fill_(0.1)
    ema.update()
    assert torch.equal(ema.net[0].weight, net[0].weight)


def test_it_is_for_use_and_does_not_learn(net):
    ema = Ema(net, 0.9)
    assert not ema.net.training
    assert net.training
    assert not any(p.requires_grad for p in ema.net.parameters())
