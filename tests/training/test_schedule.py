from __future__ import annotations

import pytest

from linnet.training.ingredients import Constant, Cosine, Linear, Step
from linnet.training.schedule import lr_factor


@pytest.mark.parametrize(
    ("step", "lr"),
    [
        (0, 0.0),
        (312, 0.0512),  # one epoch of five
        (780, 0.128),
        (1560, 0.2408704),  # warm-up is over; two decays of 0.97 have passed in epoch 5
        (2246, 0.2408704),  # the last step before epoch 7.2
        (2247, 0.233644288),  # the third decay
        (109_200, 0.256 * 0.97**145),  # the end, epoch 350
    ],
)
def test_efficientnets_rate_at_these_steps(step, lr):
    """0.256 at batch 4096, 312 steps an epoch, warm-up 5 epochs, x0.97 every 2.4, staircase (facts: recipes, 1.3)."""
    assert 0.256 * lr_factor(Step(), step / 312, 350) == pytest.approx(lr, rel=1e-9)


def test_every_decay_comes_at_its_step():
    for k in range(3, 146):  # floats must not put it off by one
        assert lr_factor(Step(), k * 2.4, 350) == 0.97**k
        assert lr_factor(Step(), k * 2.4 - 1 / 312, 350) == 0.97 ** (k - 1)


def test_cosine_falls_over_what_warm_up_leaves():
    schedule = Cosine(warmup=2.0, final=0.1)
    expected = {0: 0.0, 1: 0.5, 2: 1.0, 6: 0.55, 10: 0.1, 11: 0.1}
    assert {t: pytest.approx(lr_factor(schedule, t, 10)) for t in expected} == expected
    assert lr_factor(Cosine(), 0, 10) == 1.0


def test_constant_stays():
    assert [lr_factor(Constant(warmup=1.0), t, 4) for t in (0, 0.5, 1, 3.9)] == [0, 0.5, 1, 1]


def test_warm_up_may_begin_above_nothing():
    """MobileViT: 2e-4 to 2e-3 in the first 3,000 steps (facts: recipes, 9)."""
    schedule = Cosine(warmup=2.0, start=0.1, final=0.1)
    assert [lr_factor(schedule, t, 10) for t in (0, 1, 2, 10)] == pytest.approx([0.1, 0.55, 1.0, 0.1])
    assert [lr_factor(Step(warmup=5, start=0.5), t, 350) for t in (0, 2.5)] == [0.5, 0.75]


def test_a_line_falls_over_what_warm_up_leaves():
    schedule = Linear(warmup=2.0, final=0.2)
    assert [lr_factor(schedule, t, 10) for t in (0, 1, 2, 6, 10, 11)] == pytest.approx([0, 0.5, 1, 0.6, 0.2, 0.2])
