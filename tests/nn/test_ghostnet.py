from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from linnet.arch.ghostnet import GBneck
from linnet.arch.names import find
from linnet.arch.spec import Layer, Style
from linnet.nn.build import build
from linnet.nn.ghostnet import GhostBottleneck, GhostModule
from linnet.nn.module import module


def made(op: GBneck, cin: int, cout: int, stride: int = 1, dilation: int = 1) -> GhostBottleneck:
    block = module(op, Layer(op, cin, cout, stride, (8, 8), dilation, Style())).eval()
    assert isinstance(block, GhostBottleneck)
    return block


@settings(max_examples=30, deadline=None)
@given(
    op=st.sampled_from([GBneck(32), GBneck(31, 5, se=True), GBneck(48, 5, down=True)]),
    cout=st.sampled_from([15, 16]), stride=st.sampled_from([1, 2]), size=st.tuples(st.integers(3, 12), st.integers(3, 12)),
)  # fmt: skip
def test_bottlenecks_have_the_promised_shape(op: GBneck, cout: int, stride: int, size: tuple[int, int]) -> None:
    layer = Layer(op, 16, cout, stride, size, 1, Style())
    assert module(op, layer)(torch.randn(2, *layer.input_shape)).shape == (2, *layer.output_shape)


@torch.no_grad()
def test_half_of_the_channels_come_from_the_other_half() -> None:
    layer = Layer(GBneck(8), 6, 8, 1, (5, 5), 1, Style())
    ghost, x = GhostModule(6, 8, layer).eval(), torch.randn(2, 6, 5, 5)
    y = ghost(x)
    assert torch.equal(y[:, 4:], ghost.cheap(y[:, :4]))
    assert ghost.cheap.groups == 4
    assert GhostModule(6, 7, layer).eval()(x).shape[1] == 7


def test_the_projection_is_linear_and_the_gate_hard() -> None:
    block = made(GBneck(72, 5, se=True, down=True), 24, 40, 2)
    assert isinstance(block.expand.primary.act, nn.ReLU)
    acts = (block.project.primary.act, block.project.cheap.act, block.depthwise.act, *(m.act for m in block.shortcut))
    assert all(isinstance(act, nn.Identity) for act in acts)
    assert isinstance(block.gate.sigmoid, nn.Hardsigmoid)
    assert block.gate.reduce.out_channels == 20


def test_only_a_bottleneck_for_a_stride_has_a_depthwise_convolution() -> None:
    assert isinstance(made(GBneck(32), 16, 16).shortcut, nn.Identity)
    assert isinstance(made(GBneck(32), 16, 24).depthwise, nn.Identity)
    assert isinstance(made(GBneck(32), 16, 24).shortcut, nn.Sequential)
    assert made(GBneck(32), 16, 24, 2).depthwise.stride == (2, 2)  # even where a table forgot to say `down`


@torch.no_grad()
def test_weights_do_not_depend_on_the_output_stride() -> None:
    net = build(find("ghostnet_050").scaled(width=0.5)).eval()
    dense = build(net.arch, output_stride=8)
    dense.load_state_dict(net.state_dict())
    assert dense.eval().features(torch.randn(1, 3, 64, 48))[-1].shape[2:] == (8, 6)
    assert dense.stages[10][0].shortcut.depthwise.dilation == (2, 2)  # type: ignore[index,union-attr]


def test_it_can_be_exported_with_a_free_batch_and_trained_in_bfloat16() -> None:
    arch = find("ghostnet_050").scaled(width=0.5)
    net = build(replace(arch, stages=(*arch.stages[:5], *arch.stages[10:]), taps=())).eval()
    x = torch.randn(2, 3, 64, 64)
    batch = {"x": {0: torch.export.Dim("batch", max=64)}}
    program = torch.export.export(net, (x,), dynamic_shapes=batch).module()
    with torch.no_grad():
        torch.testing.assert_close(program(torch.cat([x, x])), net(torch.cat([x, x])), rtol=1e-4, atol=1e-5)
        last = net.to(memory_format=torch.channels_last)(x.to(memory_format=torch.channels_last))
        torch.testing.assert_close(net(x), last, rtol=1e-4, atol=1e-5)
    with torch.autocast("cpu", torch.bfloat16):
        net.train()(x).float().square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_a_dropped_branch_leaves_the_shortcut(rate: float) -> None:
    block, x = made(GBneck(32), 16, 16).train(), torch.randn(4, 16, 8, 8)
    block.drop_path.rate = rate * 0.999999
    assert torch.allclose(block(x), x) == (rate == 1)
