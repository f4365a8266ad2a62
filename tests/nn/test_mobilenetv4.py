from __future__ import annotations

import pytest
import torch
from interchange import agree, randomise
from torch import nn

from linnet.arch.mobilenetv4 import MQA, UIB
from linnet.arch.names import find
from linnet.arch.spec import Layer, Operator, Style
from linnet.errors import SettingError
from linnet.nn.build import build
from linnet.nn.conv import ConvNorm
from linnet.nn.fold import fold
from linnet.nn.mobilenetv4 import LayerScale, MultiQueryAttention, UniversalBottleneck
from linnet.nn.module import module
from linnet.nn.net import Net


def layer(op: Operator, cout: int = 16, stride: int = 1, dilation: int = 1) -> Layer:
    return Layer(op, 16, cout, stride, (10, 12), dilation, Style())


@pytest.mark.parametrize(("start", "mid"), [(3, 5), (5, 0), (0, 3), (0, 0)])
@pytest.mark.parametrize(("cout", "stride", "adds"), [(16, 1, True), (24, 1, False), (16, 2, False)])
def test_shape_stride_and_residual(start: int, mid: int, cout: int, stride: int, adds: bool) -> None:
    where = layer(UIB(t=2.4, start=start, mid=mid), cout, stride)
    if stride > 1 and not (start or mid):
        with pytest.raises(SettingError, match="give it start or mid"):
            module(where.op, where)
        return
    block = module(where.op, where).eval()
    assert isinstance(block, UniversalBottleneck)
    assert block(torch.randn(2, *where.input_shape)).shape == (2, *where.output_shape)
    assert (block.drop_path is not None) is adds
    assert block.expand.out_channels == 40  # 38.4, rounded to a multiple of 8
    assert isinstance(block.scale, nn.Identity)
    strides = [m.stride[0] for m in (block.start, block.depthwise) if isinstance(m, ConvNorm)]
    assert strides == ([1, stride] if start and mid else [stride] * len(strides))  # the second's, where there are two


def test_only_some_convolutions_have_an_activation() -> None:
    where = layer(UIB(t=2, start=3, mid=3))
    block = module(where.op, where)
    assert isinstance(block, UniversalBottleneck)
    acts = [type(m.act) for m in (block.start, block.expand, block.depthwise, block.project)]  # type: ignore[union-attr]
    assert acts == [nn.Identity, nn.ReLU, nn.ReLU, nn.Identity]


def attention(op: MQA) -> MultiQueryAttention:
    block = module(op, layer(op)).eval()
    assert isinstance(block, MultiQueryAttention)
    assert isinstance(block.scale, LayerScale)
    nn.init.ones_(block.scale.gamma)
    return block


@pytest.mark.parametrize("kv_stride", [1, 2])
@torch.no_grad()
def test_all_heads_ask_the_same_keys(kv_stride: int) -> None:
    block, x = attention(MQA(heads=3, key=8, kv_stride=kv_stride)), torch.randn(2, 16, 10, 12)
    y = block.norm(x)
    keys = block.key(block.shrink_key(y)).flatten(2)  # [B, key, n]
    values = block.value(block.shrink_value(y)).flatten(2)
    assert keys.shape[2] == 120 // kv_stride**2
    heads = []
    for q in block.query(y).flatten(2).split(8, 1):  # [B, key, H * W] of a head
        weights = (q.transpose(1, 2) @ keys / 8**0.5).softmax(-1)
        heads.append(values @ weights.transpose(1, 2))
    wanted = x + block.project(torch.cat(heads, 1).unflatten(2, (10, 12)))
    torch.testing.assert_close(block(x), wanted, rtol=1e-4, atol=1e-5)
    last = x.to(memory_format=torch.channels_last)
    assert block(last).is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(block(last), wanted, rtol=1e-4, atol=1e-5)


def test_attention_trains_in_bfloat16_and_exports_for_any_batch() -> None:
    block = attention(MQA(heads=2, key=8, kv_stride=2))
    batch = torch.export.Dim("batch", min=1, max=64)
    program = torch.export.export(block, (torch.randn(2, 16, 10, 12),), dynamic_shapes=({0: batch},))
    x = torch.randn(5, 16, 10, 12)
    with torch.no_grad():
        torch.testing.assert_close(program.module()(x), block(x), rtol=1e-4, atol=1e-5)
    with torch.autocast("cpu", torch.bfloat16):
        y = block.train()(x)
    y.float().square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in block.parameters())


def test_layer_scale_starts_small() -> None:
    scale = LayerScale(4)
    torch.testing.assert_close(scale(torch.ones(1, 4, 2, 2)), torch.full((1, 4, 2, 2), 1e-5))


@torch.no_grad()
def test_folding_takes_layer_scale_along() -> None:
    net = randomise(build(find("mobilenetv4_hybrid_medium").scaled(width=0.25).with_classes(5)))
    assert isinstance(net, Net)
    plain, x = fold(net), torch.randn(2, 3, 64, 64)
    assert not any(isinstance(m, LayerScale) for m in plain.modules())
    assert agree(plain(x), net(x))
