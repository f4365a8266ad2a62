from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
import pytest

from linnet.deploy.latency.pace import TRIES, Pace, open_onnx, pace_of, small_network


class Slow(Pace):
    """A pace whose ticks are given."""

    ticks: Iterator[float]

    def tick(self) -> float:
        return next(self.ticks)


def slow(*ticks: float) -> Slow:
    pace = Slow("onnx", 1, 0.2, lambda x: x)
    object.__setattr__(pace, "ticks", iter(ticks))
    return pace


def test_what_is_measured_on_a_slow_machine_counts_as_on_a_fast_one() -> None:
    value, slower = slow(0.3, 0.3).steadily(lambda: 6.0)
    assert value / slower == pytest.approx(4.0)


def test_a_measurement_during_which_the_pace_changed_is_done_again() -> None:
    values = iter([1.0, 2.0, 3.0])
    assert slow(0.2, 0.3, 0.4, 0.4).steadily(lambda: next(values)) == (3.0, pytest.approx(2.0))


def test_where_it_never_keeps_still_the_steadiest_counts() -> None:
    values = iter(range(TRIES))
    assert slow(0.1, 0.2, 0.22, 0.4).steadily(lambda: next(values)) == (1, pytest.approx(1.05))


def test_the_small_network_is_the_same_each_time_and_runs() -> None:
    data = small_network()
    assert data == small_network()
    assert len(onnx.load_from_string(data).graph.node) == 18
    y = open_onnx(data, "onnx", 1)(np.ones((1, 32, 28, 28), np.float32))
    assert y.shape == (1, 128)
    assert np.isfinite(y).all()
    assert y.max() > 1e-3
    pace = pace_of("onnx", 1)
    assert 0 < pace.ms < 100
    assert pace_of("onnx", 1, 5.0).ms == 5.0
