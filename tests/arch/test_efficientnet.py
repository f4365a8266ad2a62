from __future__ import annotations

import pytest

from linnet.arch.efficientnet import FusedMBConv
from linnet.arch.mobilenet import MBConv
from linnet.arch.names import find
from linnet.arch.scale import Scaling
from linnet.arch.spec import Conv

# Counted on timm: stem, channels of the stages, last convolution, layers of the stages.
SCALED = {
    "b0": (32, [16, 24, 40, 80, 112, 192, 320], 1280, [1, 2, 2, 3, 3, 4, 1]),
    "b1": (32, [16, 24, 40, 80, 112, 192, 320], 1280, [2, 3, 3, 4, 4, 5, 2]),
    "b2": (32, [16, 24, 48, 88, 120, 208, 352], 1408, [2, 3, 3, 4, 4, 5, 2]),
    "b3": (40, [24, 32, 48, 96, 136, 232, 384], 1536, [2, 3, 3, 5, 5, 6, 2]),
    "b4": (48, [24, 32, 56, 112, 160, 272, 448], 1792, [2, 4, 4, 6, 6, 8, 2]),
    "b5": (48, [24, 40, 64, 128, 176, 304, 512], 2048, [3, 5, 5, 7, 7, 9, 3]),
    "b6": (56, [32, 40, 72, 144, 200, 344, 576], 2304, [3, 6, 6, 8, 8, 11, 3]),
    "b7": (64, [32, 48, 80, 160, 224, 384, 640], 2560, [4, 7, 7, 10, 10, 13, 4]),
    "b8": (72, [32, 56, 88, 176, 248, 424, 704], 2816, [4, 8, 8, 11, 11, 15, 4]),
    "l2": (136, [72, 104, 176, 344, 480, 824, 1376], 5504, [6, 11, 11, 16, 16, 22, 6]),
}


def last(name: str) -> int:
    return next(op.c for op in find(name).head if isinstance(op, Conv))


@pytest.mark.parametrize("size", SCALED)
def test_compound_scaling_gives_the_released_networks(size: str) -> None:
    arch = find(f"efficientnet_{size}")
    channels, layers = [s.channels for s in arch.stages], [s.layers for s in arch.stages]
    assert (arch.stem[0].channels, channels, last(arch.name), layers) == SCALED[size]


def test_v2_rounds_without_the_guard() -> None:
    """19.2 channels become 16; the rule of V1 would give 24."""
    assert find("efficientnetv2_b3").stages[0].channels == 16
    assert find("efficientnetv2_b3").scaling == Scaling(guard=0)


def test_lite_keeps_its_stem_its_ends_and_its_last_convolution() -> None:
    for i in range(5):
        arch = find(f"efficientnet_lite{i}")
        assert (arch.stem[0].channels, last(arch.name)) == (32, 1280)
        assert (arch.stages[0].layers, arch.stages[-1].layers) == (1, 1)
        assert {s.op.se for s in arch.stages if isinstance(s.op, MBConv)} == {0}
        assert arch.style.act == "relu6"
    assert [s.layers for s in find("efficientnet_lite4").stages] == [1, 4, 4, 6, 6, 8, 1]


def test_timms_early_v2_differs_where_it_says() -> None:
    small, medium = find("efficientnetv2_rw_s"), find("efficientnetv2_rw_m")
    assert small.stages[0].op == FusedMBConv(t=1, k=3, project=True)
    assert (small.stages[-1].channels, last(small.name)) == (272, 1792)
    assert [s.layers for s in medium.stages] == [3, 5, 5, 8, 15, 24]
    assert [s.channels for s in medium.stages] == [32, 56, 80, 152, 192, 328]
    assert [s.channels for s in find("efficientnetv2_rw_t").stages] == [24, 40, 48, 104, 128, 208]


def test_a_fused_block_projects_unless_it_has_nothing_to_project() -> None:
    assert [FusedMBConv(t=1).projects, FusedMBConv(t=4).projects, FusedMBConv(t=1, project=True).projects] == [
        False,
        True,
        True,
    ]
