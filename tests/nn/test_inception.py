from __future__ import annotations

import pytest
import torch
from torch import nn

from linnet.arch.inception import Inception, InceptionV3
from linnet.arch.names import find
from linnet.arch.spec import Layer, Operator, Style
from linnet.nn.build import build
from linnet.nn.module import module

V1 = Inception(8, 4, 16, 4, 8, 8)
V3 = InceptionV3(7, (((1, 1, 8),), ((1, 1, 4), ((1, 3, 8), (3, 1, 8))), ("average", (1, 1, 8)), ("maximum",)))
REDUCE = InceptionV3(10, (((3, 3, 8),), ((1, 1, 4), (3, 3, 16)), ("maximum",)))


@pytest.mark.parametrize(("op", "stride"), [(V1, 1), (V1, 2), (V3, 1), (REDUCE, 1), (REDUCE, 2)], ids=str)
@pytest.mark.parametrize("dilation", [1, 2])
def test_branches_have_one_size(op: Operator, stride: int, dilation: int) -> None:
    layer = Layer(op, 12, op.out_channels(12, 0, ()), stride, (11, 8), dilation, Style())
    x = torch.randn(2, *layer.input_shape).to(memory_format=torch.channels_last)
    assert module(op, layer).eval()(x).shape == (2, *layer.output_shape)


@torch.no_grad()
def test_branches_stand_one_after_the_other_and_forks_side_by_side() -> None:
    layer = Layer(V3, 12, V3.out_channels(12, 0, ()), 1, (7, 7), 1, Style(eps=1e-3))
    branches = module(V3, layer).eval()
    x = torch.randn(2, 12, 7, 7)
    y = branches(x)
    assert layer.cout == 8 + 16 + 8 + 12
    squeezed = branches[1][0](x)
    assert torch.equal(y[:, 8:16], branches[1][1][0](squeezed))
    assert torch.equal(y[:, 16:24], branches[1][1][1](squeezed))
    assert (branches[1][1][0].kernel_size, branches[1][1][0].norm.eps) == ((1, 3), 1e-3)
    assert torch.equal(y[:, 32:], nn.functional.max_pool2d(x, 3, 1, 1))


def test_the_papers_googlenet_has_biases_and_response_norms() -> None:
    with torch.device("meta"):
        net = build(find("googlenet_original"))
    convs = [m for m in net.modules() if isinstance(m, nn.Conv2d)]
    assert len(convs) == 3 + 9 * 6
    assert all(conv.bias is not None for conv in convs)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in net.modules())
    assert sum(isinstance(m, nn.LocalResponseNorm) for m in net.modules()) == 2


@torch.no_grad()
def test_a_free_batch_in_an_export() -> None:
    net = build(find("googlenet_original").scaled(width=0.25).with_classes(3)).eval()
    batch = torch.export.Dim("batch", min=1, max=64)
    program = torch.export.export(net, (torch.randn(2, 3, 64, 64),), dynamic_shapes=({0: batch},))
    x = torch.randn(3, 3, 64, 64)
    expected = net(x)
    scale = float(expected.abs().max())
    torch.testing.assert_close(program.module()(x), expected, rtol=1e-4, atol=1e-5 * scale)
    x = x.to(memory_format=torch.channels_last)
    torch.testing.assert_close(net(x), expected, rtol=1e-4, atol=1e-5 * scale)
    with torch.autocast("cpu", torch.bfloat16):
        assert net(x).isfinite().all()
