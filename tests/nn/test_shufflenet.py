from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torchvision.models.shufflenetv2 import channel_shuffle

from linnet.arch.names import find
from linnet.arch.shufflenet import Shuffle, ShuffleV2
from linnet.arch.spec import Layer, Operator, Style
from linnet.errors import SettingError
from linnet.nn.build import build
from linnet.nn.module import module
from linnet.nn.shufflenet import ShuffleUnit, SplitUnit, interleave, shuffle

FORMATS = [torch.contiguous_format, torch.channels_last]


def made(op: Operator, cin: int, cout: int, stride: int = 1) -> nn.Module:
    return module(op, Layer(op, cin, cout, stride, (8, 8), 1, Style())).eval()


@settings(max_examples=30, deadline=None)
@given(
    op=st.sampled_from([Shuffle(3), Shuffle(3, first=True), ShuffleV2()]),
    shape=st.sampled_from([(24, 24, 1), (24, 24, 2), (24, 60, 2), (24, 60, 1)]),
    size=st.tuples(st.integers(3, 12), st.integers(3, 12)),
)
def test_units_have_the_promised_shape(op: Operator, shape: tuple[int, int, int], size: tuple[int, int]) -> None:
    cin, cout, stride = shape
    if isinstance(op, Shuffle) and cin == cout and stride == 2:
        return  # nothing would be left for the branch
    layer = Layer(op, cin, cout, stride, size, 1, Style())
    assert module(op, layer)(torch.randn(2, *layer.input_shape)).shape == (2, *layer.output_shape)


@pytest.mark.parametrize("memory", FORMATS, ids=str)
@pytest.mark.parametrize("g", [2, 3, 8])
def test_a_shuffle_takes_groups_in_turn(g: int, memory: torch.memory_format) -> None:
    x = torch.randn(2, 24, 5, 4).to(memory_format=memory)
    y = shuffle(x, g)
    assert torch.equal(y, channel_shuffle(x, g))
    assert y.is_contiguous(memory_format=memory)


@pytest.mark.parametrize("memory", FORMATS, ids=str)
def test_interleaving_is_concatenation_and_a_shuffle_of_two(memory: torch.memory_format) -> None:
    whole, b = (torch.randn(2, c, 5, 4).to(memory_format=memory) for c in (24, 12))
    a = whole[:, :12]  # as the unit takes it, a part of its input
    y = interleave(a, b)
    assert torch.equal(y, channel_shuffle(torch.cat([a, b], 1), 2))
    assert y.is_contiguous(memory_format=memory)


def test_v1_adds_or_concatenates() -> None:
    adds, joins = made(Shuffle(3), 24, 24), made(Shuffle(3), 24, 60, 2)
    assert isinstance(adds, ShuffleUnit)
    assert isinstance(joins, ShuffleUnit)
    assert (adds.project.out_channels, joins.project.out_channels) == (24, 60 - 24)
    for unit in (adds, joins):
        nn.init.zeros_(unit.project.norm.weight)  # type: ignore[arg-type]
    x = torch.rand(1, 24, 8, 8)
    assert torch.equal(adds(x), x)
    torch.testing.assert_close(joins(x)[:, :24], nn.functional.avg_pool2d(x, 3, 2, 1))
    assert not joins(x)[:, 24:].any()


def test_v1s_shuffle_may_stand_above_the_depthwise_convolution_as_in_the_paper() -> None:
    """Figure 2b: with that convolution's channels in the shuffled order it is the same function."""
    unit = made(Shuffle(3), 24, 24)
    assert isinstance(unit, ShuffleUnit)
    x = torch.randn(2, 24, 8, 8)
    papers = shuffle(unit.squeeze(x), 3)
    order = shuffle(torch.arange(6.0)[None, :, None, None], 3).flatten().long()
    weight = unit.depthwise.weight[order]
    moved = nn.functional.conv2d(papers, weight, padding=1, groups=6) / (1 + unit.depthwise.norm.eps) ** 0.5  # type: ignore[operator]
    torch.testing.assert_close(unit.act(x + unit.project(moved)), unit(x))


def test_v2_passes_half_of_the_channels_as_they_are() -> None:
    unit = made(ShuffleV2(), 24, 24)
    assert isinstance(unit, SplitUnit)
    assert isinstance(unit.shortcut, nn.Identity)
    x = torch.randn(2, 24, 8, 8)
    assert torch.equal(unit(x)[:, ::2], x[:, :12])
    down = made(ShuffleV2(), 24, 60, 2)
    assert isinstance(down, SplitUnit)
    assert (down.pointwise.in_channels, down.pointwise.out_channels) == (24, 30)
    with pytest.raises(SettingError, match="even"):
        made(ShuffleV2(), 24, 61, 2)


@pytest.mark.parametrize("name", ["shufflenet_v1_g8", "shufflenet_v2_x0_5"])
@torch.no_grad()
def test_memory_formats_agree_and_weights_do_not_depend_on_the_output_stride(name: str) -> None:
    net = build(find(name).scaled(width=0.25)).eval()
    x = torch.randn(2, 3, 64, 48)
    last = net.to(memory_format=torch.channels_last)(x.to(memory_format=torch.channels_last))
    torch.testing.assert_close(net(x), last, rtol=1e-4, atol=1e-5)
    dense = build(net.arch, output_stride=8)
    dense.load_state_dict(net.state_dict())
    assert dense.eval().features(x)[-1].shape[2:] == (8, 6)


@pytest.mark.parametrize("name", ["shufflenet_v1_g3", "shufflenet_v2_x0_5"])
def test_it_can_be_exported_with_a_free_batch_and_trained_in_bfloat16(name: str) -> None:
    net = build(find(name).scaled(width=0.25, depth=0.25)).eval()
    x = torch.randn(2, 3, 64, 64)
    batch = {"x": {0: torch.export.Dim("batch", max=64)}}
    program = torch.export.export(net, (x,), dynamic_shapes=batch).module()
    with torch.no_grad():
        torch.testing.assert_close(program(torch.cat([x, x])), net(torch.cat([x, x])), rtol=1e-4, atol=1e-5)
    with torch.autocast("cpu", torch.bfloat16):
        net.train()(x).float().square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())
