from __future__ import annotations

import pytest
import torch
from torch import nn

from linnet.arch.densenet import Dense, Transition
from linnet.arch.names import find
from linnet.arch.spec import Layer, Style
from linnet.nn.build import build
from linnet.nn.fold import fold
from linnet.nn.module import module


@torch.no_grad()
def test_a_layer_appends_what_it_grew_and_leaves_its_input() -> None:
    layer = Layer(Dense(growth=8), 16, 24, 1, (9, 6), 1, Style())
    block = module(layer.op, layer).eval()
    x = torch.randn(2, 16, 9, 6)
    before = x.clone()
    y = block(x)
    assert torch.equal(x, before)  # the activation works in place, on the norm's own output
    assert torch.equal(y[:, :16], x)
    assert (block.squeeze.out_channels, y.shape) == (32, (2, 24, 9, 6))
    assert torch.equal(y[:, 16:], block.grow(block.squeeze(torch.relu(block.norm(x)))))


@pytest.mark.parametrize(("stride", "size"), [(2, (4, 3)), (1, (9, 6))])
def test_a_transition_averages_by_its_stride(stride: int, size: tuple[int, int]) -> None:
    layer = Layer(Transition(), 16, 8, stride, (9, 6), 2, Style())
    assert module(layer.op, layer).eval()(torch.randn(2, 16, 9, 6)).shape == (2, 8, *size)


@torch.no_grad()
def test_norms_between_two_convolutions_fold_and_those_in_front_stay() -> None:
    net = build(find("densenet121").scaled(width=0.25).with_classes(5))
    for m in net.modules():
        if isinstance(m, nn.BatchNorm2d):
            nn.init.uniform_(m.running_mean, -0.3, 0.3)
            nn.init.uniform_(m.running_var, 0.5, 1.5)
            nn.init.uniform_(m.bias, -0.3, 0.3)
    x = torch.randn(2, 3, 64, 64)
    folded = fold(net)
    norms = sum(isinstance(m, nn.BatchNorm2d) for m in folded.modules())
    assert norms == 58 + 3 + 1  # one a layer, one a transition, one at the end
    expected = net.eval()(x)
    torch.testing.assert_close(folded(x), expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))
