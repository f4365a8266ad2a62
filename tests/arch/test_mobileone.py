from __future__ import annotations

import pytest

from linnet.arch.mobileone import MobileOne, MobileOneConv
from linnet.arch.names import find
from linnet.errors import SettingError


@pytest.mark.parametrize(
    ("name", "stem", "channels", "branches"),
    [
        ("mobileone_s0", 48, [48, 128, 256, 1024], 4),
        ("mobileone_s1", 64, [96, 192, 512, 1280], 1),
        ("mobileone_s2", 64, [96, 256, 640, 2048], 1),
    ],
)
def test_rows_are_the_papers(name: str, stem: int, channels: list[int], branches: int) -> None:
    arch = find(name)
    assert arch.stem[0].op == MobileOneConv(k=3, branches=1)
    assert arch.stem[0].channels == stem
    assert [row.op for row in arch.stages] == [MobileOne(branches=branches)] * 4
    assert [(row.channels, row.layers, row.stride) for row in arch.stages] == [
        (c, n, 2) for c, n in zip(channels, (2, 8, 10, 1), strict=True)
    ]
    assert [f[1:] for f in arch.features()] == list(zip([stem, *channels], (2, 4, 8, 16, 32), strict=True))


@pytest.mark.parametrize("op", [MobileOne, MobileOneConv])
def test_no_branches_are_refused(op: type[MobileOne] | type[MobileOneConv]) -> None:
    with pytest.raises(SettingError, match="nothing to sum"):
        op(branches=0)


def test_the_papers_spelling_is_accepted() -> None:
    assert find("MobileOne-S0") is find("mobileone_s0")
    assert find("mobileone_s2.apple_in1k") is find("mobileone_s2")


def test_it_widens_and_deepens() -> None:
    arch = find("mobileone_s0").scaled(width=0.5, depth=0.5)
    assert arch.stem[0].channels == 24
    assert [(row.channels, row.layers) for row in arch.stages] == [(24, 1), (64, 4), (128, 5), (512, 1)]
