from __future__ import annotations

import pytest
import torch
from torch import nn

from linnet.nn.batchnorm import group_batch_norms, group_sizes, learning_batch_norms, statistics_held


def norm(group: int | None = None) -> nn.BatchNorm2d:
    torch.manual_seed(0)
    m = nn.BatchNorm2d(5, momentum=0.3)
    with torch.no_grad():
        m.weight.normal_(), m.bias.normal_(), m.running_mean.normal_(), m.running_var.uniform_(0.5, 2)
    if group:
        group_batch_norms(m, group)
    return m.train()


X = torch.randn(12, 5, 4, 3, generator=torch.Generator().manual_seed(1))


def test_each_group_has_its_own_statistics_and_the_running_ones_their_mean() -> None:
    grouped, plain = norm(4), norm()
    expected, means, variances = [], [], []
    for x in X.split(4):
        one = norm()
        expected.append(one(x))
        means.append(one.running_mean)
        variances.append(one.running_var)
    assert torch.equal(grouped(X), torch.cat(expected))
    torch.testing.assert_close(grouped.running_mean, torch.stack(means).mean(0))
    torch.testing.assert_close(grouped.running_var, torch.stack(variances).mean(0))
    assert grouped.num_batches_tracked == 1
    assert not torch.allclose(grouped(X), plain(X))
    assert isinstance(grouped, nn.BatchNorm2d)
    assert grouped.state_dict().keys() == plain.state_dict().keys()


def test_running_statistics_keep_their_precision_under_autocast() -> None:
    exact, short = norm(4), norm(4)
    exact(X)
    with torch.autocast("cpu", torch.bfloat16):
        short(X)
    assert torch.equal(short.running_mean, exact.running_mean)
    assert torch.equal(short.running_var, exact.running_var)


def test_one_group_is_plain_batch_norm_and_evaluation_too() -> None:
    grouped, plain = norm(12), norm()
    assert torch.equal(grouped(X), plain(X))
    assert torch.equal(grouped.eval()(X), plain.eval()(X))
    assert torch.equal(norm(4).eval()(X), norm().eval()(X))


@pytest.mark.parametrize(("n", "sizes"), [(8, [4, 4]), (9, [4, 5]), (10, [4, 4, 2]), (5, [5]), (4, [4]), (2, [2])])
def test_group_sizes(n: int, sizes: list[int]) -> None:
    assert group_sizes(n, 4) == sizes
    assert norm(4)(X[:n]).shape == X[:n].shape


def test_held_statistics_stay_and_the_output_is_the_same() -> None:
    for m in (norm(), norm(4)):
        again = norm(getattr(m, "group", None))
        before = {name: tensor.clone() for name, tensor in m.state_dict().items()}
        with statistics_held(m):
            held = m(X)
        assert all(torch.equal(tensor, before[name]) for name, tensor in m.state_dict().items())
        assert torch.equal(held, again(X))
        assert torch.equal(m(X), held)
        assert torch.equal(m.running_mean, again.running_mean)


def test_learning_ones_are_those_in_training() -> None:
    net = nn.Sequential(norm(), norm().eval(), nn.BatchNorm2d(5, track_running_stats=False))
    assert learning_batch_norms(net) == [net[0]]
