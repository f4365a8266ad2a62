from __future__ import annotations

import torch
from torch import nn

from linnet.nn.build import build
from linnet.training.freeze import freeze_rows, train_mode


def test_frozen_rows_make_no_gradient(tiny_arch):
    net = build(tiny_arch)
    freeze_rows(net, 2)
    train_mode(net, frozen=2, bn_frozen=False)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    caught = []
    net.stages[0].register_forward_hook(lambda module, x, y: caught.append(y.requires_grad))
    net(torch.randn(4, 3, 32, 32)).sum().backward()
    assert caught == [False]  # nothing to go back through
    for name, p in net.named_parameters():
        frozen = name.startswith(("stem.0", "stages.0"))
        assert (p.grad is None) == frozen, name
    changed = {name for name, tensor in net.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed
    assert not any(name.startswith(("stem.0", "stages.0")) for name in changed)


def test_a_later_phase_lets_rows_learn_again(tiny_arch):
    net = build(tiny_arch)
    freeze_rows(net, 2)
    freeze_rows(net, 1)
    assert {name.split(".")[0] for name, p in net.named_parameters() if not p.requires_grad} == {"stem"}


def test_batch_norm_may_be_frozen_everywhere(tiny_arch):
    net = build(tiny_arch)
    train_mode(net, frozen=0, bn_frozen=True)
    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    assert norms
    assert not any(m.training for m in norms)
    assert all(m.training for m in net.modules() if not isinstance(m, nn.BatchNorm2d))
    train_mode(net, frozen=0, bn_frozen=False)
    assert all(m.training for m in net.modules())
