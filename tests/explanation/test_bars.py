from __future__ import annotations

import re

import pytest

from linnet.explanation.bars import HIGH, TOP, histogram


def heights(svg: str) -> list[str]:
    return re.findall(r"<title>([^<]*: [0-9,]+)</title></rect>", svg)


def test_every_value_is_counted_once():
    svg = histogram("sides", [10, 10, 11, 19, 20], low=10, high=20)
    counted = [int(title.rpartition(": ")[2]) for title in heights(svg)]
    assert sum(counted) == 5
    assert max(counted) == 2
    assert 'aria-label="sides"' in svg
    assert "style=" not in svg


@pytest.mark.parametrize("fullest", [*range(1, 30), 70, 700])
def test_no_bar_leaves_the_drawing(fullest):
    svg = histogram("sides", [1.0] * fullest + [2.0])
    tops = [float(y) for y in re.findall(r'class="column"[^>]* y="([-0-9.]+)"', svg)]
    assert min(tops) >= TOP, "the upper edge"
    assert min(tops) < HIGH / 2, "and the fullest is no dwarf"


def test_a_few_huge_values_do_not_press_the_others_together():
    svg = histogram("sides", [*range(100, 400), 60_000], whole=True)
    assert len(heights(svg)) > 10
    assert "and more: " in heights(svg)[-1]


def test_odd_inputs():
    assert histogram("x", []) == ""
    assert histogram("x", [float("nan")]) == ""
    assert len(heights(histogram("x", [7] * 3))) == 1
    assert histogram("<b>", [1, 2]).count("&lt;b&gt;") == 1
    assert 'class="change"' in histogram("x", [0, 10], mark=5)
    assert 'class="change"' not in histogram("x", [0, 10], mark=500)
