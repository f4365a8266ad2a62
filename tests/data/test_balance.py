from __future__ import annotations

import pytest

from linnet.data.balance import GiveAway, balance, give_aways, half_width


def test_even_and_uneven_classes():
    even = balance({"cat": 10, "dog": 10, "owl": 10})
    assert even is not None
    assert (even.ratio, even.effective_classes, even.largest_share) == (1, 3, 0.333333)
    uneven = balance({"cat": 90, "dog": 10, "owl": 0})
    assert uneven is not None
    assert (uneven.largest, uneven.smallest, uneven.ratio) == ("cat", "owl", 90)
    assert uneven.effective_classes == pytest.approx(1.384, abs=1e-3)  # exp(-(.9 ln .9 + .1 ln .1))
    assert balance({"cat": 0}) is None


def test_the_interval_of_a_share():
    assert half_width(100) == pytest.approx(0.098)
    assert half_width(0) == 1


def test_a_mark_that_sets_a_class_apart_is_named():
    labels = [(0,)] * 20 + [(1,)] * 30 + [(2,)] * 9
    png = [True] * 19 + [False] * 38 + [True] * 2
    everywhere = [True] * 59
    found = give_aways(labels, {"PNG files": png, "upright": everywhere}, ("cat", "dog", "owl"))
    assert found == [GiveAway("cat", "PNG files", 0.95, round(2 / 39, 4))]
    few = give_aways([(0,)] * 9 + [(1,)] * 30, {"x": [True] * 9 + [False] * 30}, ("cat", "dog"))
    assert few == []  # nine photos say nothing


def test_with_several_labels_each_counts():
    labels = [(0, 1)] * 12 + [(1,)] * 12
    (found,) = give_aways(labels, {"grey": [True] * 12 + [False] * 12}, ("cat", "dog"))
    assert found.label == "cat"
