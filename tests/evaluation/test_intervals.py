import math

import numpy as np
import pytest

from linnet.evaluation.intervals import exact_upper, paired_drop, tango_upper, wilson


def test_wilson_known_values():
    # Newcombe 1998, Table I, method 3 (without continuity correction).
    for right, n, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0, 0.1611), (1, 29, 0.0061, 0.1718)):  # fmt: skip
        assert wilson(right, n) == pytest.approx((low, high), abs=5e-5)
    assert wilson(20, 20)[1] == 1
    assert wilson(0, 0) == (0, 1)


def test_drop_of_equal_models_is_bounded_by_what_n_photos_can_show():
    right = np.arange(372) % 10 > 0
    drop = paired_drop(right, right)
    assert (drop.drop, drop.lost, drop.won, drop.n) == (0, 0, 0, 372)
    assert drop.at_most == pytest.approx(1 - 0.05 ** (1 / 372), abs=1e-9)
    assert str(drop) == "0.0 points, at most 0.8, n = 372"


def test_drop_is_paired():
    first = np.ones(100, bool)
    second = np.ones(100, bool)
    first[:3], second[5:12] = False, False
    drop = paired_drop(first, second)
    assert (drop.lost, drop.won, drop.drop) == (7, 3, 0.04)
    assert 0.04 < drop.at_most < 0.12
    assert drop.to_json() == {"drop": 0.04, "at_most": drop.at_most, "n": 100, "lost": 7, "won": 3}


@pytest.mark.parametrize(("lost", "won", "n"), [(12, 2, 50), (0, 0, 100), (3, 9, 80), (1, 0, 30), (5, 5, 1000)])
def test_tango_limit_is_where_the_score_test_turns(lost, won, n):
    """The same limit from the likelihood itself: its maximum under a given difference, found on a grid."""
    delta = tango_upper(lost, won, n, sure=0.975)
    share = np.linspace(1e-9, (1 - delta) / 2 - 1e-9, 400_001)  # of photos won; lost is share + delta
    likelihood = lost * np.log(share + delta) + won * np.log(share) + (n - lost - won) * np.log(1 - 2 * share - delta)
    best = share[likelihood.argmax()]
    z = (lost - won - n * delta) / math.sqrt(n * (2 * best + delta * (1 - delta)))
    assert z == pytest.approx(-1.959964, abs=1e-3)


@pytest.mark.parametrize(("k", "n"), [(0, 30), (2, 40), (7, 1000), (30, 30)])
def test_exact_upper_solves_the_binomial(k, n):
    p = exact_upper(k, n)
    tail = sum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k + 1))
    assert tail == pytest.approx(0.05 if k < n else 1, abs=1e-9)


@pytest.mark.parametrize(("lost", "won"), [(0.003, 0.0), (0.02, 0.01), (0.05, 0.05), (0.1, 0.02)])
def test_the_bound_covers(lost, won):
    """In 95 % of all data sets the bound lies above the true drop."""
    rng = np.random.default_rng(3)
    covered = 0
    for kinds in rng.multinomial(300, [lost, won, 1 - lost - won], size=400):
        first, second = np.repeat([True, False, True], kinds), np.repeat([False, True, True], kinds)
        covered += paired_drop(first, second).at_most >= lost - won
    assert covered / 400 >= 0.925  # 0.95 less 2.3 standard errors of 400 draws
