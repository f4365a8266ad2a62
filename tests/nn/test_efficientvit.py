from __future__ import annotations

import pytest
import torch
from interchange import agree, randomise
from torch import Tensor, nn

from linnet.arch.efficientvit import EfficientViT, FewerNorm
from linnet.arch.names import find
from linnet.arch.spec import Layer, Operator, Style
from linnet.nn.build import build
from linnet.nn.conv import DropPath
from linnet.nn.efficientvit import EfficientViTBlock, FewerNormBottleneck, LinearAttention, Neighbourhood
from linnet.nn.module import module
from linnet.nn.net import set_regularisation

STYLE = Style(act="hswish")


def built(op: Operator, cin: int, cout: int, stride: int = 1, dilation: int = 1) -> nn.Module:
    return module(op, Layer(op, cin, cout, stride, (9, 12), dilation, STYLE))


def attention(c: int = 32, dim: int = 8, dilation: int = 1) -> LinearAttention:
    block = built(EfficientViT(dim=dim, t=4), c, c, dilation=dilation)
    assert isinstance(block, EfficientViTBlock)
    randomise(block)
    return block.attention


@pytest.mark.parametrize(
    ("op", "cout", "stride"),
    [(FewerNorm(t=4), 16, 1), (FewerNorm(t=4), 24, 2), (EfficientViT(dim=8, t=4), 16, 1)],
    ids=str,
)
def test_shapes_and_residual_units(op: Operator, cout: int, stride: int) -> None:
    block = built(op, 16, cout, stride).eval()
    assert block(torch.randn(2, 16, 9, 12)).shape == (2, cout, -(-9 // stride), -(-12 // stride))
    assert sum(isinstance(m, DropPath) for m in block.modules()) == (op.units if stride == 1 else 0)


def test_the_first_two_convolutions_have_biases_and_the_last_a_norm() -> None:
    block = built(FewerNorm(t=4), 16, 24, 2)
    assert isinstance(block, FewerNormBottleneck)
    assert [conv.bias is None for conv in (block.expand, block.depthwise, block.project)] == [False, False, True]
    norms = [type(conv.norm) for conv in (block.expand, block.depthwise, block.project)]
    assert norms == [nn.Identity, nn.Identity, nn.BatchNorm2d]
    assert isinstance(block.expand.act, nn.Hardswish)
    assert isinstance(block.project.act, nn.Identity)


def by_pairs(layer: LinearAttention, x: Tensor) -> Tensor:
    """The same attention the long way: a weight for every pair of pixels, relu(q) . relu(k), over their sum."""
    fine = layer.qkv(x)
    heads = torch.cat([fine, layer.aggregate(fine)], 1).flatten(2).unflatten(1, (-1, 3, layer.dim))
    q, k, v = heads.unbind(2)  # [B, heads, dim, N]
    weights = torch.einsum("bhdn,bhdm->bhnm", q.relu(), k.relu())
    y = torch.einsum("bhnm,bhdm->bhdn", weights, v) / (weights.sum(-1)[:, :, None] + 1e-5)
    return layer.project(y.flatten(1, 2).unflatten(2, x.shape[2:]))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(("c", "dim"), [(32, 8), (24, 16), (8, 16)])
@torch.no_grad()
def test_it_is_attention_with_relu_for_softmax(layout: torch.memory_format, c: int, dim: int) -> None:
    layer = attention(c, dim).double()
    x = torch.randn(2, c, 7, 5, dtype=torch.float64).to(memory_format=layout)
    torch.testing.assert_close(layer(x), by_pairs(layer, x), atol=1e-10, rtol=1e-10)
    assert layer(x).is_contiguous(memory_format=layout)


@torch.no_grad()
def test_it_attends_over_the_whole_map() -> None:
    layer, x = attention(), torch.randn(1, 32, 16, 16)
    y = x.clone()
    y[..., 15, 15] += 1
    assert not torch.equal(layer(x)[..., 0, 0], layer(y)[..., 0, 0])


@torch.no_grad()
def test_sums_are_taken_in_float32_under_autocast() -> None:
    """300 in each of 16,384 pixels: bf16's eight bits would stop counting ones at 256."""
    layer = attention()
    seen: list[torch.dtype] = []
    attend = layer._attend

    def watch(tokens: Tensor) -> Tensor:
        y = attend(tokens)
        seen.extend([tokens.dtype, y.dtype])
        assert not torch.is_autocast_enabled("cpu")
        return y

    layer._attend = watch  # type: ignore[method-assign]
    x = 300 + torch.randn(1, 32, 128, 128)
    wanted = layer(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = layer(x)
        assert torch.is_autocast_enabled("cpu")
    assert seen == [torch.float32] * 4
    assert found.dtype == torch.bfloat16
    assert agree(found.float(), wanted, 0.03)


@torch.no_grad()
def test_a_block_starts_as_the_identity() -> None:
    block, x = built(EfficientViT(dim=8, t=4), 16, 16).eval(), torch.randn(2, 16, 9, 12)
    assert torch.equal(block(x), x)


@torch.no_grad()
def test_with_dilation_the_neighbours_stand_apart() -> None:
    near, far, x = attention(), attention(dilation=2), torch.randn(1, 32, 16, 16)
    far.load_state_dict(near.state_dict())
    wide = nn.functional.interpolate(x, scale_factor=2)  # every pixel four times
    expected = near.aggregate[0](near.qkv(x))
    torch.testing.assert_close(far.aggregate[0](far.qkv(wide))[..., ::2, ::2], expected)


@torch.no_grad()
def test_neighbourhoods_in_bf16_are_those_of_pytorch() -> None:
    conv, x = Neighbourhood(16, 1).bfloat16(), torch.randn(1, 16, 9, 9).bfloat16()
    plain = nn.Conv2d.forward(conv, x)
    with torch.enable_grad():
        assert torch.equal(conv(x), plain)


@torch.no_grad()
def test_weights_are_drawn_as_the_released_code_draws_them() -> None:
    net = build(find("efficientvit_b0"))
    block = net.stages[3][0]  # type: ignore[index]
    assert float(block.local.expand.weight.std()) == pytest.approx(0.02, rel=0.1)  # type: ignore[union-attr]
    assert not block.attention.project.norm.weight.any()  # type: ignore[union-attr]
    assert not block.local.project.norm.weight.any()  # type: ignore[union-attr]


def test_every_parameter_learns_in_either_layout_and_in_bf16() -> None:
    arch = find("efficientvit_b0").scaled(width=0.5).with_classes(5)
    net = build(arch).to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    set_regularisation(net, dropout=0.1, drop_path=0.2)
    x = torch.randn(2, 3, 64, 64).to(memory_format=torch.channels_last)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        net(x).float().square().sum().backward()
    assert [name for name, p in net.named_parameters() if p.grad is None or not p.grad.isfinite().all()] == []
    randomise(net)
    with torch.no_grad():
        assert agree(net(x), net.to(memory_format=torch.contiguous_format)(x.contiguous()))  # type: ignore[call-overload]
