from __future__ import annotations

import pytest

from linnet.arch.ghostnet import ALIASES, ARCHS, GBneck
from linnet.arch.names import find
from linnet.arch.spec import Arch, Conv, Linear


def bnecks(arch: Arch) -> list[GBneck]:
    return [op for s in arch.stages for op in (s.ops * s.layers)[: s.layers] if isinstance(op, GBneck)]


def test_the_table_has_the_papers_sixteen_bottlenecks() -> None:
    arch = find("ghostnet_100")
    ops = bnecks(arch)
    assert [op.exp for op in ops] == [16, 48, 72, 72, 120, 240, 200, 184, 184, 480, 672, 672, *[960] * 4]
    assert [i for i, op in enumerate(ops) if op.se] == [3, 4, 9, 10, 11, 13, 15]
    sizes = [layer.out_size[0] for row, layer in arch.layers() if 1 <= row <= 12]
    assert sizes == [112, 56, 56, 28, 28, *[14] * 6, *[7] * 5]


@pytest.mark.parametrize("arch", ARCHS, ids=lambda arch: arch.name)
def test_a_bottleneck_is_the_one_for_a_stride_where_its_row_has_one(arch: Arch) -> None:
    for stage in arch.stages:
        assert [op.down for op in stage.ops if isinstance(op, GBneck)] == [stage.stride == 2] * len(stage.ops)


def test_squeezed_widths_are_rounded_to_four() -> None:
    assert {op.exp: op.squeezed for op in bnecks(find("ghostnet_100")) if op.se} == {
        72: 20, 120: 32, 480: 120, 672: 168, 960: 240}  # fmt: skip


def test_released_widths_multiply_exp_itself() -> None:
    half, wide = find("ghostnet_050"), find("ghostnet_130")
    assert [op.exp for op in bnecks(half)][:5] == [8, 24, 36, 36, 60]
    assert [op.exp for op in bnecks(wide)][:5] == [20, 64, 92, 92, 156]
    assert bnecks(find("ghostnet_100").scaled(width=1.3))[2].exp == 96  # by the ratio to a rounded input it would be
    for arch, stem, last in ((half, 8, 480), (wide, 20, 1248)):
        assert (arch.stem[0].channels, arch.head[0], arch.head[2]) == (stem, Conv(last, k=1), Linear(1280))


def test_scaling_keeps_what_the_operator_is() -> None:
    wide = find("ghostnet_100").scaled(width=2)
    assert [(op.se, op.down) for op in bnecks(wide)] == [(op.se, op.down) for op in bnecks(find("ghostnet_100"))]
    assert [op.exp for op in bnecks(wide)] == [2 * op.exp for op in bnecks(find("ghostnet_100"))]


def test_aliases_lead_to_the_family() -> None:
    assert {find(alias).name for alias in ALIASES} == {arch.name for arch in ARCHS}
    assert find("GhostNet-1.3x").name == "ghostnet_130"
