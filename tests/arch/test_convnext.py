from __future__ import annotations

import json
from itertools import pairwise

import pytest

from linnet.arch.convnext import ARCHS, ROAD, ConvNeXt, RoadmapBlock, convnext_tiny
from linnet.arch.names import find
from linnet.arch.spec import Arch


@pytest.mark.parametrize(
    ("size", "channels", "layers"),
    [
        ("tiny", (96, 192, 384, 768), (3, 3, 9, 3)),
        ("small", (96, 192, 384, 768), (3, 3, 27, 3)),
        ("base", (128, 256, 512, 1024), (3, 3, 27, 3)),
        ("large", (192, 384, 768, 1536), (3, 3, 27, 3)),
        ("xlarge", (256, 512, 1024, 2048), (3, 3, 27, 3)),
    ],
)
def test_sizes_are_those_of_the_papers_list(size: str, channels: tuple[int, ...], layers: tuple[int, ...]) -> None:
    arch = find(f"convnext_{size}")
    assert tuple(stage.channels for stage in arch.stages) == channels
    assert tuple(stage.layers for stage in arch.stages) == layers
    assert arch.stem[0].channels == channels[0]


@pytest.mark.parametrize(
    ("alias", "name"),
    [("ConvNeXtTiny", "tiny"), ("ConvNeXt-S", "small"), ("convnext_b", "base"), ("ConvNeXt-XL", "xlarge")],
)
def test_keras_and_the_papers_names_are_known(alias: str, name: str) -> None:
    assert find(alias).name == f"convnext_{name}"


def test_features_are_the_four_stages() -> None:
    expected = tuple((f"stages.{i}", 96 * 2**i, 4 * 2**i) for i in range(4))
    assert convnext_tiny.features() == expected
    assert [reduction for *_, reduction in convnext_tiny.features(output_stride=16)] == [4, 8, 16]


def test_odd_pixels_are_left_out() -> None:
    """Stem and downsampling have no padding, where other networks round up."""
    sizes = [layer.out_size[0] for _, layer in convnext_tiny.layers(111) if layer.out_size]
    assert list(dict.fromkeys(sizes)) == [27, 13, 6, 3]
    assert ConvNeXt().out_size((13, 14), 2, 1) == (6, 7)
    assert ConvNeXt().out_size((13, 14), 1, 2) == (13, 14)


def test_it_scales() -> None:
    assert convnext_tiny.scaled(width=1, depth=1) == convnext_tiny
    half = convnext_tiny.scaled(width=0.5, depth=2)
    assert [stage.channels for stage in half.stages] == [48, 96, 192, 384]
    assert half.stem[0].channels == 48
    assert [stage.layers for stage in half.stages] == [6, 6, 18, 6]


# -- the road ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("arch", ROAD, ids=lambda arch: arch.name)
def test_a_step_survives_json(arch: Arch) -> None:
    assert Arch.from_json(json.loads(json.dumps(arch.to_json()))) == arch


def test_the_road_leads_from_resnet50_to_convnext_tiny() -> None:
    assert len({arch.name for arch in ROAD}) == len(ROAD) == 16
    assert ROAD[-1] is convnext_tiny is ARCHS[0]
    assert [stage.layers for stage in ROAD[0].stages] == [3, 4, 6, 3]
    assert {tuple(stage.layers for stage in arch.stages) for arch in ROAD[1:]} == {(3, 3, 9, 3)}
    assert {arch.features()[-1][2] for arch in ROAD} == {32}


def test_a_step_changes_one_thing() -> None:
    """Of a block, and of all else (stem, channels, style), at most one field each."""
    blocks = [arch.stages[0].op for arch in ROAD[:-1]]
    for before, after in pairwise(blocks):
        assert isinstance(before, RoadmapBlock)
        assert isinstance(after, RoadmapBlock)
        changed = [name for name, value in after.to_json().items() if before.to_json()[name] != value]
        assert len(changed) <= 1
    assert [arch.style.act for arch in ROAD] == ["relu"] * 11 + ["gelu"] * 5
    assert [arch.style.norm for arch in ROAD] == ["batch"] * 14 + ["layer"] * 2
    assert [arch.stem[0].stride for arch in ROAD] == [2] * 2 + [4] * 14


def test_blocks_are_as_wide_inside_as_figure_3_says() -> None:
    widths = [
        [stage.op.inner(stage.channels) for stage in arch.stages if isinstance(stage.op, RoadmapBlock)] for arch in ROAD
    ]
    assert widths[0] == [64, 128, 256, 512]
    assert widths[4] == [96, 192, 384, 768]
    assert widths[5] == [384, 768, 1536, 3072]
