"""What was seen, written and read again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from linnet.errors import WeightsError
from linnet.nas.budget import Budget
from linnet.nas.front import FILE, Front, Tried, read_front, write_front
from linnet.nas.option import Option

OPTIONS = (
    Option("a", 160, "openvino-bf16", 8, 2.0, 3.0, accuracy=0.9),
    Option("a", 128, "openvino-bf16", 8, 1.0, 2.0, accuracy=0.8),
    Option("a", 160, "onnx", 9, 2.0, 2.5, accuracy=0.9),
    Option("a", 224, "onnx", 9, 5.0, 6.0, verdict="6.00 ms of 4"),
    Option("b", 224, "onnx", 9, 1.0, 1.0, accuracy=0.5),
)
FRONT = Front(Budget(4.0), OPTIONS, "a", "a is the best", 136, 5, 12.0, (96, 112, 128, 160, 224))


def test_there_and_back(tmp_path: Path) -> None:
    assert read_front(tmp_path) is None
    write_front(tmp_path, FRONT)
    assert read_front(tmp_path) == FRONT
    (tmp_path / FILE).write_text((tmp_path / FILE).read_text().replace('"winner"', '"winer"'))
    with pytest.raises(WeightsError, match=FILE):
        read_front(tmp_path)


def test_what_is_tried_is_the_winners_own_and_fits() -> None:
    assert [(one.image, one.way) for one in FRONT.fitting] == [
        (160, "onnx"),
        (160, "openvino-bf16"),
        (128, "openvino-bf16"),
    ]
    assert [(one.image, one.way) for one in FRONT.spare()] == [
        (112, "onnx"), (112, "openvino-bf16"), (96, "onnx"), (96, "openvino-bf16"),
    ]  # fmt: skip
    assert FRONT.chosen == OPTIONS[2]


def test_what_was_shipped_is_the_chosen_one() -> None:
    tried = (Tried(160, "onnx", 0.9, 4.2, 3, 9, None, "4.20 ms of 4"), Tried(128, "openvino-bf16", 0.8, 2.1, 1, 8))
    done = replace(FRONT, tried=tried)
    assert done.chosen == OPTIONS[1]
    text = "\n".join(done.verdict())
    assert "2.10 ms a photo of 128 px on openvino-bf16 in a new process" in text
    assert "a is the best" in text
    assert "5 combinations measured 4 fit" in text
    assert any("a *" in line for line in done.lines())
