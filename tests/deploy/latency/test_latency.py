from __future__ import annotations

import json
from pathlib import Path

import pytest

from linnet.arch.names import find
from linnet.cost.latency import ENOUGH, Block, Correction, LatencyTable, Whole, block_key
from linnet.deploy.latency import blocks
from linnet.deploy.latency.latency import latency, shares
from linnet.errors import SettingError


@pytest.fixture(autouse=True)
def table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> LatencyTable:
    """Every block takes 0.1 ms, and whole networks 10 % more; a network measured here takes 9 ms."""
    arch = find("mobilenetv2_100")
    timed = {block_key(layer): Block(0.1, 3) for _, layer in arch.layers(128)}
    made = LatencyTable("onnx", 2, {}, 0.2, timed)
    for i in range(ENOUGH):
        made = made.with_whole(Whole(f"net{i}", 224, 2.0 + i, 60, 1.1 * (2.0 + i)))
    monkeypatch.setenv("LINNET_CACHE", str(tmp_path))
    monkeypatch.setattr(blocks, "latency_table", lambda layers, *, way, threads: made)
    monkeypatch.setattr(blocks, "whole_model", lambda arch, image: b"")
    monkeypatch.setattr(blocks, "measure_whole", lambda model, image, pace: 9.0)
    monkeypatch.setattr(blocks, "pace_of", lambda way, threads, ms: None)
    return made


def test_the_rows_of_the_table_and_the_call_add_up() -> None:
    found = latency("mobilenetv2_100", image=128, threads=2)
    assert [row.name for row in found.rows] == list(find("mobilenetv2_100").row_names)
    assert sum(row.ms for row in found.rows) + found.call == pytest.approx(found.predicted.ms)
    assert found.measured_ms is None
    lines = str(found).splitlines()
    assert lines[0] == "mobilenetv2_100 at 128 x 128 on onnx, 2 threads, one image"
    assert any(line.startswith("stages.1") and "MBConv" in line for line in lines)
    assert f"predicted {found.predicted.ms:.2f} ms" in " ".join(lines)
    assert "5 networks measured whole here" in " ".join(lines)
    plain = json.loads(json.dumps(found.to_json()))
    assert plain["predicted"]["ms"] == pytest.approx(found.predicted.ms, abs=0.001)
    assert len(plain["rows"]) == len(found.rows)


@pytest.mark.parametrize(
    "correction",
    [Correction(1.0, -0.02, 0.05), Correction(1.0, 0.0, -0.4), Correction(0.9, -0.02, -0.4), Correction(1, -9, -9)],
)
def test_no_row_and_no_call_takes_less_than_nothing(correction: Correction) -> None:
    sums = [Block(0.01, 3), Block(1.0, 5), Block(0.0, 0), Block(0.5, 2)]
    whole = correction.whole(sum(one.ms for one in sums), sum(one.nodes for one in sums))
    rows, call = shares(sums, correction, whole)
    assert min(*rows, call) >= 0
    assert sum(rows) + call == pytest.approx(whole)
    assert rows[1] == max(rows) > 0
    assert rows[2] == 0


def test_measuring_shows_both_and_the_table_learns(table: LatencyTable) -> None:
    found = latency("mobilenetv2_100", image=128, threads=2, measure=True)
    assert found.measured_ms == 9.0
    assert found.predicted == table.predict(find("mobilenetv2_100"), 128), "what it said before it had seen it"
    assert "measured 9.00 ms (" in found.note()
    kept = blocks.read_table(found.table)
    assert kept is not None
    assert [one.name for one in kept.wholes] == [*(one.name for one in table.wholes), "mobilenetv2_100"]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"image": 0}, "image is 0: give a side in pixels"),
        ({"threads": -1}, "threads is -1: give 1 or more"),
        ({"runtime": "litert-x"}, "There is no runtime 'litert-x'"),
    ],
)
def test_wrong_values_are_explained(given: dict[str, object], says: str) -> None:
    with pytest.raises(SettingError, match=says):
        latency("mobilenetv2_100", **given)  # type: ignore[arg-type]
