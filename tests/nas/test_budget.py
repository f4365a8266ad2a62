"""A budget refuses what is none, and knows what is over it."""

from __future__ import annotations

import math
from typing import Any

import pytest

from linnet.errors import SettingError
from linnet.nas import budget
from linnet.nas.budget import Budget, asked

NONE = {"threads": None, "runtime": None, "minutes": None}


@pytest.mark.parametrize("value", [0, -1.5, math.nan, math.inf])
@pytest.mark.parametrize("name", ["latency_ms", "size_mb", "memory_mb", "minutes"])
def test_a_limit_is_a_number_above_nothing(name: str, value: float) -> None:
    given: dict[str, Any] = {"latency_ms": 4.0, name: value}
    with pytest.raises(SettingError, match=f"--{name.replace('_', '-')} is"):
        Budget(**given)


def test_without_a_limit_there_is_no_budget_and_flags_of_one_are_refused() -> None:
    assert asked(None, None, None, **NONE) is None
    for name, value in (("threads", 2), ("runtime", "onnx"), ("minutes", 3.0)):
        with pytest.raises(SettingError, match=f"--{name} belongs to a budget"):
            asked(None, None, None, **{**NONE, name: value})  # type: ignore[arg-type]
    assert asked(4.0, None, None, **NONE) == Budget(latency_ms=4.0)


def test_a_runtime_is_all_its_precisions_or_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "can_make", lambda way: way != "onnx-int8")
    assert Budget(1.0, runtime="onnx").ways() == ("onnx",)
    assert Budget(1.0, runtime="openvino").ways() == ("openvino", "openvino-bf16", "openvino-int8")
    assert Budget(1.0, runtime="openvino-bf16").ways() == ("openvino-bf16",)
    assert "onnx-int8" not in Budget(1.0).ways()
    with pytest.raises(SettingError, match="Did you mean 'openvino'"):
        Budget(1.0, runtime="openvin")


def test_a_runtime_that_is_missing_is_said_with_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "can_make", lambda way: False)
    with pytest.raises(SettingError, match=r"pip install .*openvino"):
        Budget(1.0, runtime="openvino").ways()


def test_what_is_over_is_named_and_what_is_exactly_the_limit_is_within() -> None:
    one = Budget(latency_ms=4, size_mb=10, memory_mb=200)
    assert one.excess(4.0, 10_000_000, 200_000_000) == ""
    assert one.excess(4.01, 10_000_001, None) == "4.01 ms of 4, 10.0 MB of 10, memory that cannot be measured here"
    assert Budget(latency_ms=4).excess(4.0, 1, None) == ""
    assert str(one) == "4 ms, 10 MB, 200 MB of memory"
    assert Budget(**one.to_json()) == one
