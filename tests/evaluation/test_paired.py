from __future__ import annotations

import math

import numpy as np
import pytest

from linnet.evaluation.paired import compare_answers, mcnemar


def answers(both: int, only_first: int, only_second: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    first = [1] * both + [1] * only_first + [0] * only_second + [0] * neither
    second = [1] * both + [0] * only_first + [1] * only_second + [0] * neither
    return np.array(first, bool), np.array(second, bool)


@pytest.mark.parametrize(
    ("lost", "won", "p"),
    [
        (0, 0, 1.0),
        (3, 3, 1.0),
        (0, 5, 2 / 32),
        (5, 0, 2 / 32),
        (1, 5, 2 * (1 + 6) / 64),
        (2, 10, 2 * (1 + 12 + 66) / 4096),
        (59, 121, 4.434449e-06),  # statsmodels' example of mcnemar(exact=True)
        (86, 150, 3.715936e-05),  # Agresti, Categorical Data Analysis, table 10.1; exact p by scipy.stats.binomtest
        (9000, 9400, 0.003265541),  # no overflow; scipy.stats.binomtest
    ],
)
def test_mcnemar_against_sums_by_hand_and_published_values(lost, won, p):
    assert mcnemar(lost, won) == pytest.approx(p, rel=1e-6)


def most_likely_share(lost: int, won: int, n: int, delta: float) -> float:
    """The share of `won` that explains the counts best when it is `delta` above that of `lost`: by search."""
    low, high = max(0.0, delta), (1 + delta) / 2
    grid = np.linspace(low + 1e-9, high - 1e-9, 400_001)
    same = n - lost - won
    likely = won * np.log(grid) + lost * np.log(grid - delta + 1e-300) + same * np.log(1 - 2 * grid + delta + 1e-300)
    return float(grid[likely.argmax()])


@pytest.mark.parametrize(("lost", "won", "n"), [(4, 11, 100), (86, 150, 1600), (20, 3, 372), (1, 0, 50)])
def test_at_the_ends_of_the_interval_the_score_test_is_just_refused(lost, won, n):
    found = compare_answers(*answers(n - lost - won, lost, won, 0))
    assert found.difference == (won - lost) / n
    for end in found.interval:
        share = most_likely_share(lost, won, n, end)
        z = (won - lost - n * end) / math.sqrt(n * (2 * share - end - end**2))
        assert abs(z) == pytest.approx(1.959964, rel=2e-3)
    assert found.interval[0] < found.difference < found.interval[1]


def test_the_second_model_s_gain_is_the_first_one_s_loss():
    first, second = answers(60, 4, 11, 25)
    one, other = compare_answers(first, second), compare_answers(second, first)
    assert (one.both, one.only_first, one.only_second, one.neither, one.n) == (60, 4, 11, 25, 100)
    assert other.difference == -one.difference
    assert other.interval == pytest.approx((-one.interval[1], -one.interval[0]))
    assert other.p == one.p


def test_equal_answers_are_no_difference_but_not_a_certain_one():
    found = compare_answers(*answers(90, 0, 0, 10))
    assert (found.difference, found.p) == (0.0, 1.0)
    low, high = found.interval
    assert low == pytest.approx(-high)
    assert 0.03 < high < 0.04  # z^2 / (n + z^2)


def test_json_is_plain():
    found = compare_answers(*answers(2, 1, 0, 1)).to_json()
    assert found["n"] == 4
    assert isinstance(found["interval"], list)
