from __future__ import annotations

from dataclasses import replace

import pytest

from linnet.arch.mobilenet import MBConv
from linnet.arch.mobilevit import ARCHS, MobileViT, MobileViTv2, mobilevit_s, mobilevitv2_100
from linnet.arch.names import find
from linnet.arch.spec import Arch, Conv
from linnet.errors import SettingError

V1 = [arch for arch in ARCHS if "v2" not in arch.name]
V2 = [arch for arch in ARCHS if "v2" in arch.name]


@pytest.mark.parametrize(("name", "channels", "d", "last", "t"), [  # MobileViT, Table 4
    ("mobilevit_xxs", [16, 24, 48, 64, 80], [64, 80, 96], 320, 2),
    ("mobilevit_xs", [32, 48, 64, 80, 96], [96, 120, 144], 384, 4),
    ("mobilevit_s", [32, 64, 96, 128, 160], [144, 192, 240], 640, 4),
])  # fmt: skip
def test_tables_are_the_papers(name: str, channels: list[int], d: list[int], last: int, t: int) -> None:
    arch = find(name)
    rows = [stage for stage in arch.stages if isinstance(stage.op, MBConv)]
    assert [stage.channels for stage in rows] == channels
    assert {stage.op.t for stage in rows if isinstance(stage.op, MBConv)} == {t}
    assert [op.d for op in operators(arch)] == d
    assert [op.depth for op in operators(arch)] == [2, 4, 3]
    assert {op.patch for op in operators(arch)} == {2}
    assert [op.c for op in arch.head if isinstance(op, Conv)] == [last]
    sizes = [layer.out_size[0] for _, layer in arch.layers() if layer.out_size]
    assert list(dict.fromkeys(sizes)) == [128, 64, 32, 16, 8]


@pytest.mark.parametrize("arch", V2, ids=lambda arch: arch.name)
def test_version_2_widens_as_a_whole(arch: Arch) -> None:
    """apple/ml-cvnets config/mobilevit_v2.py: every width is the table's, times the multiplier in the name."""
    width = int(arch.name[-3:]) / 100
    assert [stage.channels for stage in (*arch.stem, *arch.stages)] == [
        int(width * stage.channels) for stage in (*mobilevitv2_100.stem, *mobilevitv2_100.stages)
    ]
    assert [op.d for op in operators(arch)] == [int(width * d) for d in (128, 192, 256)]


def operators(arch: Arch) -> list[MobileViT | MobileViTv2]:
    return [op for stage in arch.stages for op in stage.ops if isinstance(op, MobileViT | MobileViTv2)]


def test_only_version_2_keeps_the_size_of_whole_patches() -> None:
    assert MobileViT(d=96, depth=2).out_size((7, 8), 1, 1) == (7, 8)
    assert MobileViTv2(d=96, depth=2).out_size((7, 8), 1, 1) == (8, 8)
    assert MobileViTv2(d=96, depth=2, patch=3).out_size((7, 9), 1, 1) == (9, 9)
    sizes = [layer.out_size[0] for _, layer in mobilevitv2_100.layers(224) if layer.out_size]
    assert list(dict.fromkeys(sizes)) == [112, 56, 28, 14, 7, 8]
    assert [r for *_, r in mobilevitv2_100.features(224)] == [2, 4, 8, 16, 32]


def test_scaling_keeps_heads_whole() -> None:
    for arch in (mobilevit_s.scaled(width=0.3), mobilevit_s.scaled(width=1.7)):
        assert all(op.d % op.heads == 0 for op in operators(arch) if isinstance(op, MobileViT))


def test_the_patch_is_a_field() -> None:
    """The paper compares patches of 2,2,2 with 3,3,3 and 8,4,2 (section 4.3)."""
    patches = iter((8, 4, 2))
    rows = tuple(
        replace(s, op=replace(s.op, patch=next(patches))) if isinstance(s.op, MobileViT) else s
        for s in mobilevit_s.stages
    )
    arch = replace(mobilevit_s, stages=rows)
    assert [op.patch for op in operators(arch)] == [8, 4, 2]
    assert Arch.from_json(arch.to_json()) == arch


def test_a_width_that_the_heads_do_not_share_is_refused() -> None:
    with pytest.raises(SettingError, match="a multiple of its 4 heads"):
        MobileViT(d=90, depth=2)


@pytest.mark.parametrize(("alias", "name"), [
    ("mobilevit-xx-small", "mobilevit_xxs"), ("mobilevit-small", "mobilevit_s"), ("mobilevitv2-1.0", "mobilevitv2_100"),
    ("mobilevitv2_150.cvnets_in22k_ft_in1k_384", "mobilevitv2_150"),
])  # fmt: skip
def test_apples_names_are_known(alias: str, name: str) -> None:
    assert find(alias).name == name
