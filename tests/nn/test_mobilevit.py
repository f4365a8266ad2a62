from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from linnet.arch.mobilevit import MobileViT, MobileViTv2
from linnet.arch.names import find
from linnet.arch.spec import Layer, Style
from linnet.nn.build import build
from linnet.nn.mobilevit import (
    MobileViTBlock,
    SeparableAttention,
    fold,
    fold_map,
    unfold,
    unfold_map,
)
from linnet.nn.module import module

FORMATS = [torch.contiguous_format, torch.channels_last]
OPERATORS = [MobileViT(d=16, depth=2), MobileViTv2(d=16, depth=2)]
every_format = pytest.mark.parametrize("layout", FORMATS, ids=["contiguous", "channels_last"])
every_operator = pytest.mark.parametrize("op", OPERATORS, ids=lambda op: type(op).__name__)


def block(op: MobileViT | MobileViTv2, size: tuple[int, int] = (8, 6), c: int = 12) -> nn.Module:
    return module(op, Layer(op, c, c, 1, size, 1, Style(act="silu"))).eval()


@every_format
@pytest.mark.parametrize("p", [1, 2, 3])
def test_folding_undoes_unfolding(p: int, layout: torch.memory_format) -> None:
    x = torch.randn(2, 5, 2 * p, 3 * p).to(memory_format=layout)
    tokens, places = unfold(x, p), unfold_map(x, p)
    assert tokens.shape == (2 * p * p, 6, 5)
    assert places.shape == (2, 5, p * p, 6)
    assert torch.equal(fold(tokens, p, (2 * p, 3 * p)), x)
    assert torch.equal(fold_map(places, p, (2 * p, 3 * p)), x)
    # Sequence i of an image holds the pixels at place i of every patch, patch after patch.
    last = x[1, :, p - 1 :: p, p - 1 :: p].flatten(1)
    assert torch.equal(tokens[-1], last.T)
    assert torch.equal(places[1, :, -1], last)


def test_a_channels_last_map_stays_so() -> None:
    x = torch.randn(2, 8, 4, 6).to(memory_format=torch.channels_last)
    for y in (unfold_map(x, 2), fold_map(unfold_map(x, 2), 2, (4, 6)), fold(unfold(x, 2), 2, (4, 6))):
        assert y.is_contiguous(memory_format=torch.channels_last)


@every_operator
@pytest.mark.parametrize("patch", [2, 3, 4])
@pytest.mark.parametrize("size", [(8, 6), (7, 9), (2, 2)])
@torch.no_grad()
def test_promised_shapes_whether_patches_divide_the_map_or_not(
    op: MobileViT | MobileViTv2, patch: int, size: tuple[int, int]
) -> None:
    op = type(op)(d=16, depth=1, patch=patch)
    layer = Layer(op, 12, 12, 1, size, 1, Style(act="silu"))
    assert block(op, size)(torch.randn(2, *layer.input_shape)).shape == (2, *layer.output_shape)


@every_operator
@torch.no_grad()
def test_both_orders_of_memory_give_the_same(op: MobileViT | MobileViTv2) -> None:
    net, x = block(op), torch.randn(2, 12, 8, 6)
    y = net(x.to(memory_format=torch.channels_last))
    assert y.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(y, net(x), rtol=1e-4, atol=1e-5)


def seen(y: Tensor, x: Tensor) -> Tensor:
    """Where `x` [1, C, H, W] has a part in the first pixel of `y`."""
    (gradient,) = torch.autograd.grad(y[0, :, 0, 0].sum(), x)
    return gradient[0].abs().sum(0) > 0


def test_a_pixel_attends_to_its_place_in_every_patch() -> None:
    x = torch.randn(1, 16, 6, 4, requires_grad=True)
    expected = torch.zeros(6, 4, dtype=torch.bool)
    expected[::2, ::2] = True
    vit = block(OPERATORS[0], (6, 4))
    assert isinstance(vit, MobileViTBlock)
    assert torch.equal(seen(fold(vit.encoder(unfold(x, 2)), 2, (6, 4)), x), expected)
    attention = SeparableAttention(16)
    assert torch.equal(seen(fold_map(attention(unfold_map(x, 2)), 2, (6, 4)), x), expected)


@torch.no_grad()
def test_separable_attention_is_the_papers() -> None:
    """MobileViTv2, equation 3: the keys' sum under the softmax of their scores, times relu of each value."""
    attention, x = SeparableAttention(6), torch.randn(2, 6, 4, 5)
    weight, bias = attention.qkv.weight[:, :, 0, 0], attention.qkv.bias
    assert bias is not None
    for b in range(2):
        for place in range(4):
            tokens = x[b, :, place].T  # [patches, d]
            projected = tokens @ weight.T + bias
            score = projected[:, :1].softmax(0)
            context = (score * projected[:, 1:7]).sum(0)
            wanted = attention.project((projected[:, 7:].relu() * context).T[None, :, :, None])
            torch.testing.assert_close(attention(x)[b, :, place], wanted[0, :, :, 0], rtol=1e-5, atol=1e-5)


@every_operator
@every_format
def test_trains_in_bfloat16(op: MobileViT | MobileViTv2, layout: torch.memory_format) -> None:
    net = block(op, (7, 6)).train()
    with torch.autocast("cpu", torch.bfloat16):
        y = net(torch.randn(2, 12, 7, 6).to(memory_format=layout))
    y.float().square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


@every_operator
def test_exports_for_any_batch(op: MobileViT | MobileViTv2) -> None:
    net = block(op, (7, 6))
    batch = torch.export.Dim("batch", min=1, max=64)
    program = torch.export.export(net, (torch.randn(2, 12, 7, 6),), dynamic_shapes=({0: batch},))
    x = torch.randn(5, 12, 7, 6)
    with torch.no_grad():
        torch.testing.assert_close(program.module()(x), net(x), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_one_network_takes_every_size() -> None:
    for name in ("mobilevit_xxs", "mobilevitv2_050"):
        net = build(find(name).scaled(width=0.5).with_classes(3)).eval()
        for size in ((64, 64), (96, 160), (70, 33)):
            assert net(torch.randn(1, 3, *size)).shape == (1, 3)
