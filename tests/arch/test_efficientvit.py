from __future__ import annotations

import pytest

from linnet.arch.efficientvit import EfficientViT, FewerNorm
from linnet.arch.mobilenet import MBConv
from linnet.arch.names import find
from linnet.arch.spec import Arch, Conv, Linear
from linnet.errors import SettingError


@pytest.mark.parametrize(
    ("name", "widths", "depths", "dim", "head"),
    [
        ("efficientvit_b0", (8, 16, 32, 64, 128), (1, 2, 2, 2, 2), 16, (1024, 1280)),
        ("efficientvit_b1", (16, 32, 64, 128, 256), (1, 2, 3, 3, 4), 16, (1536, 1600)),
        ("efficientvit_b2", (24, 48, 96, 192, 384), (1, 3, 4, 4, 6), 32, (2304, 2560)),
    ],
)
def test_rows_are_the_papers(
    name: str, widths: tuple[int, ...], depths: tuple[int, ...], dim: int, head: tuple[int, int]
) -> None:
    arch = find(name)
    assert [(row.channels, row.layers) for row in arch.stem] == [(widths[0], 1), (widths[0], depths[0])]
    assert [type(op) for row in arch.stages for op in row.ops] == [MBConv, MBConv, *[FewerNorm, EfficientViT] * 2]
    rows = [(row.channels, row.layers, row.stride) for row in arch.stages]
    assert rows[:2] == [(widths[1], depths[1], 2), (widths[2], depths[2], 2)]
    assert rows[2:4] == [(widths[3], 1, 2), (widths[3], depths[3], 1)]
    assert rows[4:] == [(widths[4], 1, 2), (widths[4], depths[4], 1)]
    assert {op.dim for row in arch.stages for op in row.ops if isinstance(op, EfficientViT)} == {dim}
    assert tuple(op.c for op in arch.head if isinstance(op, Conv | Linear)) == head
    assert (arch.image, arch.style.act) == (224, "hswish")


def test_features_are_those_of_four_stages() -> None:
    assert [f[1:] for f in find("efficientvit_b1").features()] == [(32, 4), (64, 8), (128, 16), (256, 32)]


def test_heads_are_as_many_as_fit_and_one_at_least() -> None:
    op = EfficientViT(dim=16, t=4)
    assert [op.heads(c) for c in (64, 72, 128, 8)] == [4, 4, 8, 1]
    wide = find("efficientvit_b0").scaled(width=2)
    assert [row.channels for row in wide.stages] == [32, 64, 128, 128, 256, 256]
    assert [op for row in wide.stages for op in row.ops if isinstance(op, EfficientViT)] == [op] * 2


def test_a_head_without_channels_is_refused() -> None:
    value = find("efficientvit_b0").to_json()
    value["stages"][3]["op"]["dim"] = 0
    with pytest.raises(SettingError, match=r"EfficientViT\(dim=0\)"):
        Arch.from_json(value)


def test_the_papers_spelling_is_accepted() -> None:
    assert find("EfficientViT-B1") is find("efficientvit_b1")
    assert find("efficientvit_b1.r288_in1k") is find("efficientvit_b1")
