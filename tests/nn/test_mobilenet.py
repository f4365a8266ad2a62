from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.arch.mobilenet import Bneck, MBConv, SepConv
from linnet.arch.spec import Layer, Operator, Style
from linnet.nn.mobilenet import InvertedResidual, SeparableConv
from linnet.nn.module import module


def made(op: Operator, cin: int, cout: int, stride: int = 1, dilation: int = 1) -> torch.nn.Module:
    return module(op, Layer(op, cin, cout, stride, (8, 8), dilation, Style(act="silu"))).eval()


@settings(max_examples=40, deadline=None)
@given(
    op=st.sampled_from([SepConv(), SepConv(5, linear=True), MBConv(t=1), MBConv(t=6, k=5, se=0.25), MBConv(t=3),
                        Bneck(16, 3), Bneck(40, 5, se=True, nl="HS"), Bneck(16, 3, se=True)]),
    cout=st.sampled_from([8, 16]), stride=st.sampled_from([1, 2]), size=st.tuples(st.integers(5, 12), st.integers(5, 12)),
)  # fmt: skip
def test_blocks_have_the_promised_shape(op: Operator, cout: int, stride: int, size: tuple[int, int]) -> None:
    layer = Layer(op, 16, cout, stride, size, 1, Style())
    assert module(op, layer)(torch.randn(2, *layer.input_shape)).shape == (2, *layer.output_shape)


@pytest.mark.parametrize(
    ("op", "cout", "stride", "adds"),
    [
        (MBConv(t=6), 16, 1, True),
        (MBConv(t=6), 24, 1, False),
        (MBConv(t=6), 16, 2, False),
        (MBConv(t=1), 16, 1, True),
        (Bneck(40, 3), 16, 1, True),
        (SepConv(linear=True), 16, 1, True),
        (SepConv(), 16, 1, False),  # MobileNetV1 has none
    ],
)
def test_the_input_is_added_where_the_shape_allows(op: Operator, cout: int, stride: int, adds: bool) -> None:
    block = made(op, 16, cout, stride)
    assert isinstance(block, SeparableConv | InvertedResidual)
    assert (block.drop_path is not None) is adds
    # With the projection's norm at zero nothing but the input is left.
    torch.nn.init.zeros_(block.project.norm.weight)  # type: ignore[arg-type]
    x = torch.randn(1, 16, 8, 8)
    assert torch.equal(block(x), x if adds else torch.zeros_like(block(x)))


def test_an_expansion_by_one_is_left_out() -> None:
    assert isinstance(made(MBConv(t=1), 16, 16), SeparableConv)
    assert isinstance(made(MBConv(t=2), 16, 16), InvertedResidual)
    assert isinstance(made(Bneck(16, 3), 16, 16), SeparableConv)
    assert isinstance(made(Bneck(24, 3), 16, 16), InvertedResidual)


def test_squeeze_is_of_the_input_in_mbconv_and_of_the_expansion_in_bneck() -> None:
    assert made(MBConv(t=6, se=0.25), 16, 16).gate.reduce.out_channels == 4  # type: ignore[union-attr]
    assert made(Bneck(96, 5, se=True), 16, 16).gate.reduce.out_channels == 24  # type: ignore[union-attr]


def test_the_projection_is_linear_but_not_in_mobilenet_v1() -> None:
    for op, linear in ((SepConv(), False), (SepConv(linear=True), True), (MBConv(t=6), True), (Bneck(40, 3), True)):
        block = made(op, 16, 16)
        assert isinstance(block.project.act, torch.nn.Identity) is linear  # type: ignore[union-attr]


def test_a_block_in_training_passes_gradients_to_every_weight() -> None:
    block = made(MBConv(t=6, se=0.25), 16, 16).train()
    block(torch.randn(4, 16, 8, 8)).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in block.parameters())
