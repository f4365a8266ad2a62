from __future__ import annotations

import pytest

from linnet.data.preprocess import Preprocess
from linnet.data.shape import elongated, enlarged, seen_shares

SIZES = [(400, 533), (533, 400), (256, 256), (255, 900), (1, 5000), (65500, 3), (777, 778)]


def test_enlarged_are_those_below_the_size_that_the_short_side_is_brought_to():
    assert enlarged(SIZES, Preprocess()) == [3, 4, 5]
    assert enlarged(SIZES, Preprocess(mode="squash")) == [4, 5]
    assert enlarged(SIZES, Preprocess().at(32)) == [4, 5]


@pytest.mark.parametrize(
    "preprocess", [Preprocess(), Preprocess(crop=1.0), Preprocess(image=97, crop=0.9), Preprocess(mode="squash")]
)
def test_the_share_is_that_of_the_box_which_preprocess_cuts_out(preprocess):
    for (wide, high), share in zip(SIZES, seen_shares(SIZES, preprocess), strict=True):
        left, top, right, bottom = preprocess._box(wide, high)
        assert share == pytest.approx((right - left) * (bottom - top) / (wide * high), rel=0.01)
        assert 0 < share <= 1


def test_the_longest_come_first():
    assert elongated(SIZES) == [5, 4, 3]
