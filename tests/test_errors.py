from __future__ import annotations

import doctest
from datetime import timedelta

import pytest

from linnet import errors


def test_doctest() -> None:
    assert doctest.testmod(errors).failed == 0


def test_nothing_near_says_nothing() -> None:
    assert errors.did_you_mean("zzzzzz", ["efficientnet_b0"]) == ""


def test_several_near_names_are_all_said() -> None:
    text = errors.did_you_mean("mobilenetv3", ["mobilenetv3_small_100", "mobilenetv3_large_100", "resnet50"])
    assert "mobilenetv3_small_100" in text
    assert "mobilenetv3_large_100" in text
    assert "resnet50" not in text


def test_a_process_that_is_gone_is_named_as_such_and_how_long_it_was_waited_for() -> None:
    with (
        pytest.raises(errors.TrainingError, match=r"Another process.* for 10,800 s.*peer.*train --resume"),
        errors.others_answer(timedelta(hours=3)),
    ):
        raise RuntimeError("Connection closed\n by peer")
    with pytest.raises(errors.TrainingError, match="did not answer in time"), errors.others_answer():
        raise RuntimeError("Timed out")


def test_all_errors_of_ours_are_one_family() -> None:
    for name in ("DataError", "SettingError", "WeightsError", "FileError", "TrainingError", "ProofError"):
        assert issubclass(getattr(errors, name), errors.LinnetError)
