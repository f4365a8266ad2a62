import json

import numpy as np
import pytest

from linnet.deploy.int8.gate import Verdict, divergence, judge, limit_of, surely_above, verdict_of
from linnet.errors import SettingError
from linnet.evaluation.intervals import paired_drop


def answers(n, lost, won):
    """Which of n photos two models have right: the second loses and wins so many."""
    first = np.ones(n, bool)
    first[n - won :] = False
    second = np.ones(n, bool)
    second[:lost] = False
    return first, second


@pytest.mark.parametrize(
    ("n", "lost", "won", "points", "passed", "decided"),
    [
        (10_000, 20, 10, 0.5, True, True),
        (10_000, 60, 20, 0.5, True, False),  # 0.4 points, but perhaps 0.54
        (10_000, 80, 20, 0.5, False, False),
        (372, 0, 0, 0.5, True, False),  # nothing changed, and yet 0.8 points cannot be ruled out
        (372, 0, 0, 1.0, True, True),
        (372, 2, 0, 0.5, False, False),
        (200, 1, 0, 0.5, True, False),
        (5_000, 0, 9, 0.0, True, True),
    ],
)
def test_the_gate(n, lost, won, points, passed, decided):
    found = judge(*answers(n, lost, won), points)
    assert (found.passed, found.decided) == (passed, decided)
    assert verdict_of(json.loads(json.dumps(found.to_json()))) == found


def test_in_words():
    assert str(judge(*answers(10_000, 20, 10), 0.5)) == "drops 0.1 points, at most 0.2, n = 10,000: within 0.5 points"
    said = str(judge(*answers(372, 0, 0), 0.5))
    assert said.endswith("within 0.5 points on these, but not decidable with 372 images")
    assert str(judge(*answers(372, 9, 0), 0.5)).endswith("which is more than 0.5 points")


def test_without_a_limit_few_photos_may_lose_one():
    assert limit_of(None, 10_000) == limit_of(0.5, 3) == 0.005
    assert limit_of(None, 40) == 1 / 40
    assert judge(*answers(40, 1, 0), None).passed
    assert not judge(*answers(40, 2, 0), None).passed
    assert limit_of(0, 40) == 0
    for wrong in (-0.1, 101, float("nan")):
        with pytest.raises(SettingError, match="0 to 100 points"):
            limit_of(wrong, 40)


def test_a_few_unlucky_photos_are_not_surely_above():
    assert not surely_above(paired_drop(*answers(372, 4, 0)), 0.005)
    assert surely_above(paired_drop(*answers(372, 20, 0)), 0.005)
    assert not surely_above(paired_drop(*answers(0, 0, 0)), 0.005)
    assert isinstance(Verdict(paired_drop(*answers(9, 1, 0)), 0.005), Verdict)


def test_divergence_is_that_of_kullback_and_leibler():
    a = np.array([[0.0, 0.0], [2.0, -1.0]])
    assert divergence(a, a + 7) == pytest.approx(0, abs=1e-12)
    b = np.log(np.array([[0.9, 0.1], [0.5, 0.5]]))
    p = np.exp(a) / np.exp(a).sum(1, keepdims=True)
    q = np.exp(b)
    assert divergence(a, b) == pytest.approx((p * np.log(p / q)).sum(1).mean())
    assert divergence(a, np.full_like(a, np.nan)) == float("inf")


def test_divergence_of_several_labels_is_per_label():
    a, b = np.array([[0.0, 3.0]]), np.array([[1.0, 3.0]])
    p, q = (1 / (1 + np.exp(-one)) for one in (a, b))
    by_hand = p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))
    assert divergence(a, b, several=True) == pytest.approx(by_hand.sum())
    assert divergence(a, a + 7, several=True) > 1  # not only differences count
