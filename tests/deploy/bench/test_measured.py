import json
import math
from dataclasses import replace

from linnet.deploy.bench.figures import Ratio
from linnet.deploy.bench.measured import Bench, Row, columns, megabytes, ms

ROW = Row("onnx", "photos", "onnx", 224, 1, 1, 2, 3.0, 2.9, 3.2, 4.5, 333.3, 100, 3, 22_000_000, 120_000_000, 30_000_000, 0.91, (0.88, 0.93))  # fmt: skip
FAST = replace(
    ROW, name="openvino-bf16", way="openvino-bf16", median_ms=1.5, p10_ms=1.4, images_per_second=666.7, accuracy=0.9
)
SAME = replace(ROW, name="openvino", way="openvino", median_ms=3.01)
PAIRS = (
    Ratio("openvino-bf16", "onnx", 2.0, 1.96, 2.03),
    Ratio("openvino-bf16", "openvino", 2.01, 1.97, 2.03),
    Ratio("onnx", "openvino", 1.003, 0.99, 1.02),
)
BENCH = Bench("latency", (FAST, ROW, SAME), PAIRS, 1.01, "batch 1, 2 threads", {"batch": 1}, ("A note.",))


def test_as_a_table():
    lines = str(BENCH).splitlines()
    assert lines[0] == "batch 1, 2 threads"
    assert lines[2].split() == [
        "median",
        "ms",
        "p10",
        "p90",
        "p99",
        "times",
        "the",
        "first",
        "memory",
        "file",
        "accuracy",
    ]
    assert lines[3].split() == [
        "openvino-bf16",
        "1.50",
        "1.40",
        "3.20",
        "4.50",
        "1",
        "120",
        "MB",
        "22.0",
        "MB",
        "90.0",
        "%",
    ]
    assert "2.00 (1.96 to 2.03)" in lines[4]
    assert lines[6:] == ["", "onnx and openvino cannot be told apart: 1.00 (0.99 to 1.02).", "A note."]
    assert len({len(line) for line in lines[2:6]}) == 1


def test_only_neighbours_are_said():
    apart = replace(BENCH, pairs=(PAIRS[0], replace(PAIRS[1], low=0.9), replace(PAIRS[2], low=1.001)), notes=())
    assert "cannot be told apart" not in str(apart)


def test_columns_without_anything_to_say_are_left_out():
    bare = Row("phone", "m", "litert", None, 1, 1, 4, 30.0, None, None, None, 33.3, 50)
    said = str(Bench("imported", (bare,), (), None, "a phone", {}))
    assert said.splitlines()[2].split() == ["median", "ms", "images/s"]
    batches = replace(BENCH, rows=tuple(replace(row, batch=32) for row in BENCH.rows))
    assert "images/s" in str(batches)
    assert "images/s" not in str(BENCH)


def test_as_json():
    endless = replace(BENCH, pairs=(replace(PAIRS[0], high=math.inf),))
    said = json.loads(json.dumps(endless.to_json(), allow_nan=False))
    assert (said["kind"], said["schema"], said["mode"], said["batch"]) == ("linnet bench", 1, "latency", 1)
    assert said["rows"][0]["median_ms"] == 1.5
    assert said["pairs"][0]["high"] is None
    assert said["pairs"][0]["told_apart"] is True
    assert (
        "peak_bytes" not in Bench("imported", (replace(ROW, peak_bytes=None),), (), None, "", {}).to_json()["rows"][0]
    )


def test_points_are_of_what_has_an_accuracy():
    rows = (FAST, replace(ROW, accuracy=None))
    (point,) = replace(BENCH, rows=rows).points()
    assert (point.name, point.latency_ms, point.accuracy, point.interval) == ("openvino-bf16", 1.5, 0.9, (0.88, 0.93))


def test_figures_as_people_read_them():
    assert [ms(value) for value in (0.1234, 9.876, 12.34, 1234.5, None)] == ["0.12", "9.88", "12.3", "1,234", ""]
    assert [megabytes(value) for value in (None, 5_400_000, 123_456_789)] == ["", "5.4 MB", "123 MB"]
    assert columns(["", "a"], [["x", "1"], ["long", "22"]]) == ["       a", "x      1", "long  22"]


def test_a_pair_that_goes_against_the_order_of_the_medians_is_found():
    turned = replace(BENCH, pairs=(Ratio("onnx", "openvino-bf16", 1.25, 0.96, 1.6), *PAIRS[1:]))
    assert turned.against_first(ROW) == "0.80 (0.62 to 1.04)"
    assert "onnx and openvino-bf16 cannot be told apart" in str(turned)
