"""An option as a value and as a line of the table."""

from __future__ import annotations

import pytest

from linnet.nas.option import Option, option_lines


def test_the_table_has_what_fits_on_top_and_marks_what_was_chosen() -> None:
    slow = Option("b", 224, "onnx", 4_000_000, 9.0, 8.5, verdict="8.50 ms of 4")
    good, better = (Option("a", side, "onnx", 4_100_000, None, 2.0, accuracy=a) for side, a in ((128, 0.8), (160, 0.9)))
    head, *rows = option_lines((slow, good, better), better)
    assert "memory" not in head
    assert [row.split()[0:2] for row in rows] == [["a", "*"], ["a", "128"], ["b", "224"]]
    assert "90.0 %" in rows[0]
    assert "8.50 ms of 4" in rows[2]


def test_memory_that_was_not_measured_is_no_zero() -> None:
    measured, not_measured = Option("a", 128, "onnx", 8, memory_bytes=72_000_000), Option("a", 112, "onnx", 8)
    head, *rows = option_lines((measured, not_measured), None)
    assert "memory MB" in head
    assert rows[0].split() == ["a", "128", "onnx", "0.0", "72", "fits"]
    assert rows[1].split() == ["a", "112", "onnx", "0.0", "fits"]


def test_there_and_back() -> None:
    one = Option("a", 128, "openvino-bf16", 5, memory_bytes=7)
    assert Option.from_json(one.to_json()) == one
    assert one.fits
    assert one.name == "a 128 px, openvino-bf16"
    with pytest.raises(TypeError):
        Option.from_json({"what": 1})
