import math

import numpy as np
import pytest

from linnet.deploy.bench.figures import all_pairs, compare, drift, drift_note, edge, percentiles, value
from linnet.deploy.bench.timing import Block


def blocks(values):
    return tuple(Block(float(v), (float(v),)) for v in values)


def test_percentiles_are_of_all_calls_in_milliseconds():
    found = percentiles([Block(0.002, tuple(i / 1000 for i in range(51))),
                         Block(0.002, tuple(i / 1000 for i in range(51, 101)))])  # fmt: skip
    assert found == {"p10_ms": 10.0, "median_ms": 50.0, "p90_ms": 90.0, "p99_ms": 99.0}


@pytest.mark.parametrize(("n", "k"), [(0, 0), (5, 0), (6, 1), (10, 2), (24, 7), (25, 8), (100, 40)])
def test_the_ranks_are_those_of_the_tables(n, k):
    """Conover 1999, table A3, two-sided 95 %."""
    assert edge(n) == k


def test_an_interval_holds_the_true_ratio_as_often_as_it_says():
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(1000):
        machine = rng.lognormal(0, 0.3, 24)  # what the machine does in a round, it does to both
        a = machine * rng.lognormal(0, 0.05, 24)
        b = 1.1 * machine * rng.lognormal(0, 0.05, 24)
        one = compare(("a", blocks(a)), ("b", blocks(b)))
        low, high = (one.low, one.high) if one.faster == "a" else (1 / one.high, 1 / one.low)
        held += low <= 1.1 <= high
    assert 0.94 <= held / 1000 <= 0.99


def test_what_differs_in_every_round_is_told_apart_though_the_machine_swings():
    machine = np.random.default_rng(1).lognormal(0, 1, 24)
    one = compare(("slow", blocks(1.03 * machine)), ("fast", blocks(machine)))
    assert (one.faster, one.slower) == ("fast", "slow")
    assert one.told_apart
    assert str(one) == "1.03 (1.03 to 1.03)"


def test_equals_and_the_hardly_measured_cannot_be_told_apart():
    rng = np.random.default_rng(2)
    same = compare(("a", blocks(rng.lognormal(0, 0.1, 24))), ("b", blocks(rng.lognormal(0, 0.1, 24))))
    assert not same.told_apart
    few = compare(("a", blocks([1] * 5)), ("b", blocks([2] * 5)))
    assert not few.told_apart
    assert (few.ratio, few.high) == (2, math.inf)
    assert few.to_json()["high"] is None
    assert compare(("a", blocks([1] * 6)), ("b", blocks([2] * 6))).told_apart


def test_pairs_are_in_order_of_speed():
    found = {"c": blocks([3] * 6), "a": blocks([1] * 6), "b": blocks([2] * 6)}
    assert [(pair.faster, pair.slower, pair.ratio) for pair in all_pairs(found)] == [
        ("a", "b", 2), ("a", "c", 3), ("b", "c", 1.5),
    ]  # fmt: skip
    assert value(found["b"]) == 2


def test_a_change_of_the_machine_is_seen_and_an_outlier_is_not():
    still = {"a": blocks([1.0] * 12), "b": blocks([5.0] * 12)}
    assert drift(still) == 1
    assert drift_note(drift(still)) == ""
    hiccup = {"a": blocks([1.0] * 11 + [9.0]), "b": blocks([5.0] * 12)}
    assert drift_note(drift(hiccup)) == ""
    slower = {"a": blocks([1.0] * 6 + [1.2] * 6), "b": blocks([5.0] * 6 + [6.0] * 6)}
    assert drift(slower) == pytest.approx(1.2)
    assert "took 1.20 times as long" in drift_note(drift(slower))
    assert "0.83 times" in drift_note(drift({"a": blocks([1.2] * 6 + [1.0] * 6)}))


def test_who_is_faster_the_rounds_say_not_the_medians():
    """In most rounds `a` takes a tenth more; a machine that swings gives it the smaller median all the same."""
    a, b = blocks([1.1, 1.1, 1.1, 2.2, 3.3, 3.3, 1.1]), blocks([1.0, 1.0, 1.3, 2.0, 3.0, 3.0, 1.3])
    assert value(a) < value(b)
    for one in (compare(("a", a), ("b", b)), compare(("b", b), ("a", a)), all_pairs({"a": a, "b": b})[0]):
        assert (one.faster, one.slower) == ("b", "a")
        assert one.ratio == pytest.approx(1.1)
        assert one.low <= one.ratio <= one.high
    assert one.times("a") == (one.ratio, one.low, one.high)
    assert one.times("b") == pytest.approx((1 / one.ratio, 1 / one.high, 1 / one.low))


def test_an_even_number_of_rounds_says_the_same_from_either_side():
    a, b = blocks([1.0] * 6), blocks([0.9, 0.9, 0.9, 1.105, 1.105, 1.105])
    there, back = compare(("a", a), ("b", b)), compare(("b", b), ("a", a))
    assert there == back
    assert there.faster == "b"
    assert compare(("a", blocks([1] * 5)), ("b", blocks([2] * 5))).times("a") == (0.5, 0.0, math.inf)
