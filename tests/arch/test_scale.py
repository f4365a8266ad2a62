from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.arch.mobilenet import Bneck, SepConv
from linnet.arch.names import find, known
from linnet.arch.scale import Scaling, compound, round_channels
from linnet.arch.spec import Arch, Classifier, Conv, MaxPool, Pool, Stage
from linnet.errors import SettingError

wanted = st.floats(0.1, 10_000)
divisors = st.sampled_from((1, 2, 4, 8, 12, 16, 32))


@given(wanted, divisors)
def test_rounded_channels_are_a_positive_multiple_near_what_was_wanted(c: float, divisor: int) -> None:
    rounded = round_channels(c, divisor)
    assert rounded > 0
    assert rounded % divisor == 0
    assert rounded >= 0.9 * c
    assert rounded - c <= divisor


@given(wanted, divisors)
def test_without_the_guard_rounding_is_to_the_nearest(c: float, divisor: int) -> None:
    assert abs(round_channels(c, divisor, guard=0) - max(c, divisor)) <= divisor / 2


@given(st.integers(1, 512), divisors)
def test_a_multiple_stays_what_it_is(times: int, divisor: int) -> None:
    assert round_channels(times * divisor, divisor) == times * divisor


@given(wanted, wanted, divisors)
def test_more_wanted_is_never_less(a: float, b: float, divisor: int) -> None:
    assert round_channels(min(a, b), divisor) <= round_channels(max(a, b), divisor)


def test_the_policy_leaves_alone_what_is_not_scaled() -> None:
    rule = Scaling()
    assert rule.channels(30, 1) == 30  # not rounded to 32
    assert rule.channels(0, 2) == 0  # a row such as MaxPool gives no channels
    assert (rule.layers(3, 1.4, end=False), rule.layers(5, 1.2, end=False)) == (5, 6)  # 6.000000000000001 is not 7
    assert (Scaling(ends=False).layers(1, 2, end=True), Scaling(ends=False).layers(1, 2, end=False)) == (1, 2)


@pytest.mark.parametrize("name", sorted(known()))
def test_scaling_by_one_changes_nothing(name: str) -> None:
    assert find(name).scaled(width=1, depth=1) == find(name)


def test_efficientnet_scales_to_the_published_tables() -> None:
    b7 = find("efficientnet_b7")
    assert [(s.channels, s.layers) for s in b7.stages] == [
        (32, 4), (48, 7), (80, 7), (160, 10), (224, 10), (384, 13), (640, 4)]  # fmt: skip
    assert (b7.stem[0].channels, b7.image) == (64, 600)
    lite4 = find("efficientnet_lite4")  # stem, last convolution and the ends of the table are fixed
    assert (lite4.stem[0].channels, lite4.stages[0].layers, lite4.stages[6].layers) == (32, 1, 1)
    assert lite4.head[0] == Conv(1280, k=1)


def test_the_head_follows_its_policy() -> None:
    narrow, wide = find("mobilenetv2_050"), find("mobilenetv2_140")
    assert (narrow.head[0], wide.head[0]) == (Conv(1280, k=1), Conv(1792, k=1))


def test_an_operator_with_widths_of_its_own_widens_with_its_true_input() -> None:
    """Also below a row that gives no channels of its own, a pool or a dense block."""
    arch = Arch("pooled", 32, (Stage(Conv(), 16, 1, 2), Stage(MaxPool(), 0, 1, 2)), (Stage(Bneck(exp=64, k=3), 24),),
                (Pool(), Classifier()))  # fmt: skip
    doubled = arch.scaled(width=2)
    assert doubled.stem[1] == arch.stem[1]
    assert doubled.stages == (Stage(Bneck(exp=128, k=3), 48),)


def test_a_cycle_of_operators_stays_a_cycle() -> None:
    turns = (SepConv(k=3), SepConv(k=5))
    arch = replace(find("mobilenetv1_100"), stages=(Stage(turns, 64, 4, 2),))
    deeper = arch.scaled(depth=1.5)
    assert deeper.stages == (Stage(turns, 64, 6, 2),)
    assert [str(layer.op) for _, layer in deeper.layers()][1:7] == ["SepConv(k=3)", "SepConv(k=5)"] * 3


@pytest.mark.parametrize("wrong", [{"width": 0}, {"depth": -1}, {"image": -224}])
def test_multipliers_are_above_zero(wrong: dict[str, float]) -> None:
    with pytest.raises(SettingError, match="give a number above 0"):
        find("efficientnet_b0").scaled(**wrong)


def test_compound_coefficients_are_the_papers() -> None:
    depth, width, image = compound(1)
    assert depth * width**2 * image**2 == pytest.approx(2, abs=0.1)  # Tan & Le 2019, equation 3
    assert compound(0) == (1, 1, 1)


@pytest.mark.parametrize("wrong", [{"width": float("inf")}, {"depth": float("nan")}, {"width": 101}, {"depth": 0}])
def test_multipliers_are_finite_and_not_absurd(wrong: dict[str, float]) -> None:
    with pytest.raises(SettingError, match="above 0, at most 100"):
        find("efficientnet_b0").scaled(**wrong)  # type: ignore[arg-type]
