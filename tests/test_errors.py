from __future__ import annotations

import doctest

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


def test_all_errors_of_ours_are_one_family() -> None:
    for name in ("DataError", "SettingError", "WeightsError", "FileError", "TrainingError", "ProofError"):
        assert issubclass(getattr(errors, name), errors.LinnetError)
