from __future__ import annotations

import pytest
import torch
from torch import nn

from linnet.arch.names import find
from linnet.arch.spec import Layer, Style
from linnet.arch.swin import Swin, SwinV2
from linnet.errors import SettingError
from linnet.nn.build import build
from linnet.nn.module import module
from linnet.nn.swin import PatchMerging, SwinLayer

STYLE = Style(act="gelu", norm="layer")
both = pytest.mark.parametrize("kind", [Swin, SwinV2])


def made(op: Swin, cin: int = 16, cout: int = 16, stride: int = 1, size: tuple[int, int] = (8, 8)) -> SwinLayer:
    layer = module(op, Layer(op, cin, cout, stride, size, 1, STYLE))
    assert isinstance(layer, SwinLayer)
    for norm in (layer.norm1, layer.norm2):  # V2's start at zero
        nn.init.ones_(norm.weight)
    return layer.eval()


@both
@pytest.mark.parametrize("shifted", [False, True])
@pytest.mark.parametrize("stride", [1, 2])
@torch.no_grad()
def test_any_map_has_its_promised_shape(kind: type[Swin], shifted: bool, stride: int) -> None:
    """Odd ones, wide ones, maps smaller than a window; all but the first of another size than the layer was built for."""
    op = kind(4, shifted=shifted, d=8)
    layer = made(op, 16, 16 * stride, stride)
    for size in ((8, 8), (9, 14), (3, 2), (1, 17)):
        x = torch.randn(2, 16, *size)
        assert layer(x).shape == (2, *Layer(op, 16, 16 * stride, stride, size, 1, STYLE).output_shape)


@both
@torch.no_grad()
def test_maps_stay_channels_last(kind: type[Swin]) -> None:
    x = torch.randn(2, 16, 8, 8)
    layer = made(kind(4, shifted=True, d=8))
    y = layer(x.contiguous(memory_format=torch.channels_last))
    assert y.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(layer(x), y)


@torch.no_grad()
def test_merged_pixels_come_down_first_then_across() -> None:
    op = Swin(4, d=8)
    merge = PatchMerging(Layer(op, 1, 4, 2, (3, 2), 1, STYLE), after=False)
    merge.norm, merge.reduce = nn.Identity(), nn.Identity()  # type: ignore[assignment]
    x = torch.arange(1.0, 7).view(1, 3, 2, 1)
    assert merge(x).tolist() == [[[[1, 3, 2, 4]], [[5, 0, 6, 0]]]]


def test_v2_norms_after_and_adds_nothing_at_first() -> None:
    op = SwinV2(4, d=8)
    layer = module(op, Layer(op, 16, 16, 1, (8, 8), 1, STYLE))
    x = torch.randn(2, 16, 8, 8)
    assert torch.equal(layer(x), x)
    merge = build(find("swinv2_t").scaled(width=1 / 3)).stages[1][0].merge  # type: ignore[index,union-attr]
    assert merge.norm.normalized_shape == (64,)
    assert build(find("swin_t").scaled(width=1 / 3)).stages[1][0].merge.norm.normalized_shape == (4 * 32,)  # type: ignore[index,union-attr]


@both
def test_windows_follow_the_size_that_is_set(kind: type[Swin]) -> None:
    layer = made(kind(4, shifted=True, d=8), 16, 32, 2, (8, 8))
    assert (layer.attention.window, layer.attention.shift) == ((4, 4), (0, 0))
    layer.set_size((6, 20))
    assert (layer.attention.window, layer.attention.shift) == ((3, 4), (0, 2))
    assert layer(torch.randn(1, 16, 6, 20)).shape == (1, 32, 3, 10)
    layer.set_size((16, 16))
    assert (layer.attention.window, layer.attention.shift) == ((4, 4), (2, 2))


def test_no_output_stride() -> None:
    with pytest.raises(SettingError, match="without output_stride"):
        build(find("swin_t"), output_stride=16)


@both
def test_exported_with_any_batch(kind: type[Swin]) -> None:
    """Merged, shifted and padded, and after a bias has been kept."""
    layer = made(kind(4, shifted=True, d=8), 8, 16, 2, (19, 12))
    x, y = torch.randn(2, 8, 19, 12), torch.randn(5, 8, 19, 12)
    with torch.no_grad():
        expected = layer(x)
        program = torch.export.export(layer, (x,), dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=64)},))
        exported = program.module()
        torch.testing.assert_close(exported(x), expected)
        torch.testing.assert_close(exported(y), layer(y))
