from __future__ import annotations

import pytest
import torch
from torch import nn

from linnet.arch.spec import Layer, Operator, Style
from linnet.arch.xception import EntryFlow, ExitFlow, MiddleFlow, SeparableConv
from linnet.nn.module import module

FLOWS = [
    (EntryFlow(relu=False), 24, 2, (16, 24, 24)),
    (EntryFlow(), 24, 2, (16, 24, 24)),
    (EntryFlow(), 16, 1, (16, 16, 16)),  # a stride that has become dilation
    (MiddleFlow(), 16, 1, (16, 16, 16, 16)),
    (ExitFlow(), 24, 2, (16, 16, 24)),
]


@pytest.mark.parametrize(("op", "cout", "stride", "channels"), FLOWS, ids=str)
@pytest.mark.parametrize("dilation", [1, 2])
def test_channels_shape_and_shortcut(
    op: Operator, cout: int, stride: int, channels: tuple[int, ...], dilation: int
) -> None:
    layer = Layer(op, 16, cout, stride, (9, 12), dilation, Style())
    flow = module(op, layer).eval()
    x = torch.randn(2, *layer.input_shape)
    before = x.clone()
    assert flow(x).shape == (2, *layer.output_shape)
    assert torch.equal(x, before)  # the shortcut sees it as it was
    found = [m.depthwise.in_channels for m in flow.separable]
    assert (*found, flow.separable[-1].pointwise.out_channels) == channels
    assert isinstance(flow.act, nn.ReLU) is (op != EntryFlow(relu=False))
    assert isinstance(flow.shortcut, nn.Identity) is isinstance(op, MiddleFlow)
    assert isinstance(flow.separable[-1].pointwise.act, nn.Identity)


@torch.no_grad()
def test_nothing_stands_between_depthwise_and_pointwise() -> None:
    layer = Layer(SeparableConv(), 6, 8, 1, (5, 5), 1, Style())
    block = module(layer.op, layer).eval()
    x = torch.randn(2, 6, 5, 5)
    plain = nn.functional.conv2d(block.depthwise(x), block.pointwise.weight)
    assert torch.equal(block(x), torch.relu(block.pointwise.norm(plain)))


def test_a_branch_can_be_dropped() -> None:
    layer = Layer(MiddleFlow(), 8, 8, 1, (5, 5), 1, Style())
    flow = module(layer.op, layer).train()
    flow.drop_path.rate = 1 - 1e-9
    x = torch.randn(2, 8, 5, 5)
    assert torch.equal(flow(x), x)
