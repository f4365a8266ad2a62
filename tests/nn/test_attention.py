from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from linnet.arch.spec import Style
from linnet.errors import SettingError
from linnet.nn.attention import Attention, EncoderLayer, Mlp
from linnet.nn.conv import DropPath

STYLE = Style(act="gelu", norm="layer", eps=1e-6)


def by_hand(attention: Attention, x: Tensor) -> Tensor:
    """Vaswani 2017, equation 1, one head after another."""
    c, heads = x.shape[-1], attention.heads
    q, k, v = attention.qkv(x).split(c, -1)
    found = []
    for i in range(heads):
        part = slice(i * c // heads, (i + 1) * c // heads)
        scores = q[..., part] @ k[..., part].transpose(-1, -2) / (c // heads) ** 0.5
        found.append(scores.softmax(-1) @ v[..., part])
    return attention.project(torch.cat(found, -1))


@pytest.mark.parametrize("shape", [(5, 12), (2, 5, 12), (2, 3, 4, 12)])
@torch.no_grad()
def test_attention_is_the_papers(shape: tuple[int, ...]) -> None:
    attention, x = Attention(12, 3), torch.randn(shape)
    y = attention(x)
    assert y.shape == x.shape
    torch.testing.assert_close(y, by_hand(attention, x))


@torch.no_grad()
def test_attention_is_pytorchs_own() -> None:
    """The same three blocks of rows, the same heads: weights may be copied as they are."""
    ours, theirs = Attention(24, 4), nn.MultiheadAttention(24, 4, batch_first=True)
    assert theirs.in_proj_bias is not None
    nn.init.normal_(theirs.in_proj_bias)
    ours.qkv.weight.copy_(theirs.in_proj_weight)
    ours.qkv.bias.copy_(theirs.in_proj_bias)
    ours.project.load_state_dict(theirs.out_proj.state_dict())
    x = torch.randn(2, 7, 24)
    torch.testing.assert_close(ours(x), theirs(x, x, x)[0])


def test_heads_that_do_not_divide_the_channels_are_refused() -> None:
    with pytest.raises(SettingError, match="5 heads cannot share 12 channels: give a number of heads that divides"):
        Attention(12, 5)


@torch.no_grad()
def test_the_mlp_works_on_the_last_dimension_of_anything() -> None:
    mlp = Mlp(6, 10, STYLE)
    assert (mlp.expand.out_features, mlp.project.out_features) == (10, 6)
    x = torch.randn(2, 3, 4, 6)
    torch.testing.assert_close(mlp(x), mlp.project(F.gelu(mlp.expand(x))))


@torch.no_grad()
def test_an_encoder_layer_adds_both_branches_to_what_came_in() -> None:
    layer, x = EncoderLayer(12, 3, 20, STYLE).eval(), torch.randn(2, 5, 12)
    assert (layer.norm1.eps, layer.norm2.eps, layer.mlp.expand.out_features) == (1e-6, 1e-6, 20)
    middle = x + layer.attention(layer.norm1(x))
    torch.testing.assert_close(layer(x), middle + layer.mlp(layer.norm2(middle)))
    many = torch.randn(2, 3, 5, 12)  # of tokens in groups, each group by itself
    torch.testing.assert_close(layer(many), torch.stack([layer(many[:, i]) for i in range(3)], 1))


def test_drop_path_takes_each_branch_by_itself() -> None:
    layer, x = EncoderLayer(12, 3, 20, STYLE), torch.randn(64, 5, 12)
    drops = [m for m in layer.modules() if isinstance(m, DropPath)]
    assert drops == [layer.drop_path1, layer.drop_path2]
    with torch.no_grad():
        layer.drop_path1.rate = 1 - 1e-7  # to keep next to nothing keeps x
        layer.drop_path2.rate = 1 - 1e-7
        assert torch.equal(layer(x), x)
        layer.drop_path2.rate = 0.0
        torch.testing.assert_close(layer(x), x + layer.mlp(layer.norm2(x)))
        layer.eval()
        assert not torch.equal(layer(x), x)


def in_double(net: nn.Module, x: Tensor) -> Tensor:
    return net.double()(x.double())


def in_bfloat16(net: nn.Module, x: Tensor) -> Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        return net(x)


@pytest.mark.parametrize(("run", "within"), [(in_double, 1e-5), (in_bfloat16, 0.05)])
@torch.no_grad()
def test_an_encoder_layer_works_in_other_precisions(run: Callable[..., Tensor], within: float) -> None:
    layer, x = EncoderLayer(32, 4, 64, STYLE).eval(), torch.randn(2, 9, 32)
    wanted = layer(x)
    torch.testing.assert_close(run(layer, x).float(), wanted, rtol=within, atol=within)


@torch.no_grad()
def test_an_encoder_layer_is_exported_with_any_batch() -> None:
    layer, x = EncoderLayer(32, 4, 64, STYLE).eval(), torch.randn(2, 9, 32)
    program = torch.export.export(layer, (x,), dynamic_shapes=({0: torch.export.Dim("batch")},)).module()
    more = torch.randn(5, 9, 32)
    torch.testing.assert_close(program(more), layer(more))
