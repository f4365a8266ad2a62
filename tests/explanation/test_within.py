"""The report's section on a budget."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from linnet.explanation.folder import RunFolder
from linnet.explanation.section import Missing, build
from linnet.explanation.within import budget
from linnet.nas.budget import Budget
from linnet.nas.front import Front, Tried
from linnet.nas.option import Option

FRONT = Front(
    Budget(4.0, size_mb=10),
    (
        Option("slow", 224, "onnx", 9_000_000, 5.0, 6.0, verdict="6.00 ms of 4"),
        Option("a", 160, "onnx", 9_000_000, None, 3.0, accuracy=0.9),
        Option("<b>", 128, "onnx", 9_000_000, 1.0, 1.5, accuracy=0.8),
    ),
    "a", "a is the most accurate", 136, 5, 12.0, (160,), (Tried(160, "onnx", 0.91, 3.1, 1, 9_000_000),),
)  # fmt: skip


def of(front: Front) -> dict[str, Any]:
    return budget(RunFolder(Path("run"), candidates=front.to_json()))


def test_it_shows_what_was_seen_and_marks_what_was_taken() -> None:
    found = of(FRONT)
    assert found["limits"] == "4 ms, 10 MB"
    assert [row[0] for row in found["rows"]] == ["a \N{BLACK STAR}", "<b>", "slow"]  # the template escapes
    assert found["rows"][2][-1] == "6.00 ms of 4"
    assert "3.10\u00a0ms in a new process: within the budget" in found["tried"][0]
    assert found["drawing"].count("<circle") == 2
    assert "<b>" not in found["drawing"]


def test_one_that_was_over_is_not_marked() -> None:
    over = replace(FRONT, tried=(replace(FRONT.tried[0], reason="4.50 ms of 4"),))
    found = of(over)
    assert not any("\N{BLACK STAR}" in row[0] for row in found["rows"])
    assert found["tried"][0].endswith("4.50 ms of 4")


def test_a_run_without_a_budget_and_a_damaged_one_break_nothing() -> None:
    with pytest.raises(Missing):
        budget(RunFolder(Path("run")))
    assert "Left out" in build(budget, RunFolder(Path("run"), candidates={"options": 3}))["missing"]
