from __future__ import annotations

import pytest

from linnet.arch.names import find
from linnet.arch.shufflenet import ALIASES, ARCHS, Shuffle, ShuffleV2
from linnet.arch.spec import Arch, Conv, Layer, Stage
from linnet.cost.count import count
from linnet.errors import SettingError


def body(arch: Arch) -> list[Layer]:
    return [layer for row, layer in arch.layers() if len(arch.stem) <= row < len(arch.stem) + len(arch.stages)]


@pytest.mark.parametrize("arch", ARCHS, ids=lambda arch: arch.name)
def test_every_table_has_sixteen_units_in_three_stages(arch: Arch) -> None:
    layers = body(arch)
    assert [layer.out_size[0] for layer in layers] == [28] * 4 + [14] * 8 + [7] * 4
    assert [layer.stride for layer in layers] == [2, 1, 1, 1, 2, *[1] * 7, 2, 1, 1, 1]


@pytest.mark.parametrize(
    ("name", "channels"),
    [
        ("shufflenet_v1_g3", (24, 240, 480, 960)),
        ("shufflenet_v1_g8", (24, 384, 768, 1536)),
        ("shufflenet_v1_x2_0_g3", (24, 480, 960, 1920)),
        ("shufflenet_v2_x0_5", (24, 48, 96, 192, 1024)),
        ("shufflenet_v2_x1_0", (24, 116, 232, 464, 1024)),
        ("shufflenet_v2_x1_5", (24, 176, 352, 704, 1024)),
        ("shufflenet_v2_x2_0", (24, 244, 488, 976, 2048)),
    ],
)
def test_channels_are_those_of_the_papers(name: str, channels: tuple[int, ...]) -> None:
    arch = find(name)
    rows = dict.fromkeys(layer.cout for layer in body(arch))
    last = [op.c for op in arch.head if isinstance(op, Conv)]
    assert (arch.stem[0].channels, *rows, *last) == channels


def test_only_the_first_grouped_convolution_is_not_grouped() -> None:
    """Its input has 24 channels only: Zhang 2018, section 3.2."""
    ops = [layer.op for layer in body(find("shufflenet_v1_g8"))]
    assert ops == [Shuffle(g=8, first=True), *[Shuffle(g=8)] * 15]


def test_a_wider_table_can_still_be_shared_among_its_groups() -> None:
    for name, g in (("shufflenet_v1_g3", 3), ("shufflenet_v1_g8", 8)):
        for width in (0.25, 0.7, 1.3):
            for layer in body(find(name).scaled(width=width)):
                branch = layer.cout - (layer.cin if layer.stride == 2 else 0)
                assert layer.cout // 4 % g == branch % g == 0
    assert all(layer.cout % 4 == 0 for layer in body(find("shufflenet_v2_x1_0").scaled(width=0.3)))


def test_megviis_two_times_has_the_papers_cost_and_a_wider_stem() -> None:
    """524 M multiply-adds; the table of that name keeps the stem's 24 channels, as it was counted for tests/golden."""
    megviis = find("shufflenet_v1_g3").scaled(width=2)
    assert megviis.stem[0] == Stage(Conv(k=3), 48, 1, 2)
    assert (count(megviis).total.params, count(megviis).total.madds) == (5_450_776, 524_045_184)


def test_aliases_lead_to_the_family() -> None:
    assert {find(alias).name for alias in ALIASES} <= {arch.name for arch in ARCHS}
    assert find("ShuffleNetV2-x1.0").name == "shufflenet_v2_x1_0"


def test_no_groups_are_refused() -> None:
    with pytest.raises(SettingError, match="give 1 or more"):
        Shuffle(g=0)
    assert ShuffleV2.units == 0  # nothing is added, so nothing can be dropped
