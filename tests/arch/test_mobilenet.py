from __future__ import annotations

import pytest

from linnet.arch.mobilenet import Bneck
from linnet.arch.names import find, known
from linnet.arch.spec import Arch, Conv, Stage


def bnecks(arch: Arch) -> list[Bneck]:
    return [op for stage in arch.stages for op in stage.ops * stage.layers if isinstance(op, Bneck)]


def test_layers_are_as_many_as_the_papers_have() -> None:
    """The text of the V2 paper says 19 bottlenecks and some say 12 bnecks in V3 Small; the tables have 17 and 11."""
    layers = {name: sum(s.layers for s in find(name).stages) for name in known()}
    assert layers["mobilenetv1_100"] == 13
    assert layers["mobilenetv2_100"] == 17
    assert layers["mobilenetv3_large_100"] == 15
    assert layers["mobilenetv3_small_100"] == 11


def test_squeezed_widths_are_those_of_the_released_code() -> None:
    large, small = (
        {op.exp: op.squeezed for op in bnecks(find(f"mobilenetv3_{size}_100")) if op.se} for size in ("large", "small")
    )
    assert large == {72: 24, 120: 32, 480: 120, 672: 168, 960: 240}
    assert small == {16: 8, 96: 24, 240: 64, 120: 32, 144: 40, 288: 72, 576: 144}


def test_gates_and_activations_stand_where_the_papers_ticks_are() -> None:
    large, small = bnecks(find("mobilenetv3_large_100")), bnecks(find("mobilenetv3_small_100"))
    assert [i for i, op in enumerate(large, 1) if op.se] == [4, 5, 6, 11, 12, 13, 14, 15]
    assert [i for i, op in enumerate(small, 1) if op.se] == [1, *range(4, 12)]
    assert [op.nl for op in large] == ["RE"] * 6 + ["HS"] * 9
    assert [op.nl for op in small] == ["RE"] * 3 + ["HS"] * 8


def test_minimal_networks_have_nothing_but_3x3_and_relu() -> None:
    arch = find("mobilenetv3_large_minimal_100")
    assert {(op.k, op.se, op.nl) for op in bnecks(arch)} == {(3, False, "RE")}
    assert arch.style.act == "relu"


@pytest.mark.parametrize(
    ("name", "stem", "first", "last"),
    [
        ("mobilenetv1_025", 8, 16, None),
        ("mobilenetv2_035", 16, 8, 1280),
        ("mobilenetv2_140", 48, 24, 1792),
        ("mobilenetv2_120d", 32, 24, 1280),
        ("mobilenetv3_large_075", 16, 16, 720),
        ("mobilenetv3_small_050", 16, 8, 288),
        ("mobilenetv3_large_125", 24, 24, 1200),
    ],
)
def test_widths_follow_each_papers_rule(name: str, stem: int, first: int, last: int | None) -> None:
    arch = find(name)
    assert (arch.stem[0].channels, arch.stages[0].channels) == (stem, first)
    assert next((op.c for op in arch.head if isinstance(op, Conv)), None) == last


def test_an_expansion_keeps_its_ratio_when_the_table_widens() -> None:
    arch = find("mobilenetv3_small_100")
    wide = arch.scaled(width=2.0)
    assert [op.exp for op in bnecks(wide)] == [2 * op.exp for op in bnecks(arch)]
    assert Stage(Bneck(exp=16, k=3), 16) == Stage(Bneck(exp=16, k=3, se=False, nl="RE"), 16, 1, 1)
