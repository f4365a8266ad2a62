from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from threading import Thread

import pytest

from linnet.arch.names import find
from linnet.arch.spec import Arch, Dropout, Layer
from linnet.cost.latency import Block, LatencyTable, block_key
from linnet.deploy.latency import blocks
from linnet.deploy.latency.pace import Pace, pace_of
from linnet.errors import SettingError


class Clock:
    """Stands for a runtime: a block takes 0.1 ms, a whole network a fifth more than its blocks."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.timed, self.measured = list[str](), list[str]()
        monkeypatch.setenv("LINNET_CACHE", str(folder))
        monkeypatch.setattr(blocks, "time_blocks", self.time_blocks)
        monkeypatch.setattr(blocks, "whole_model", self.whole_model)
        monkeypatch.setattr(blocks, "measure_whole", self.measure_whole)
        monkeypatch.setattr(blocks, "pace_of", lambda way, threads, ms: Pace(way, threads, ms or 0.2, lambda x: x))

    def time_blocks(self, layers: Sequence[Layer], pace: Pace) -> dict[str, Block]:
        self.timed += [block_key(layer) for layer in layers]
        return {block_key(layer): Block(0.1, 3) for layer in layers}

    def whole_model(self, arch: Arch, image: int) -> bytes:
        self.measured.append(arch.name)
        return json.dumps(len(list(arch.layers(image)))).encode()

    def measure_whole(self, model: bytes, image: int, pace: Pace) -> float:
        return 0.12 * json.loads(model)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Clock:
    return Clock(monkeypatch, tmp_path)


def test_a_network_is_predicted_and_the_second_time_nothing_is_timed(clock: Clock) -> None:
    arch = find("mobilenetv2_050")
    (found,) = blocks.predict_latency([(arch, 96)], threads=2)
    assert found.ms == pytest.approx(0.12 * len(list(arch.layers(96))), rel=0.02), "the correction was learnt"
    assert found.low <= found.ms <= found.high
    assert clock.measured == [name for name, _ in blocks.REFERENCES]
    assert len(clock.timed) == len(set(clock.timed)), "each block once"
    before = len(clock.timed)
    assert blocks.predict_latency([(arch, 96)], threads=2) == [found]
    assert (len(clock.timed), len(clock.measured)) == (before, len(blocks.REFERENCES))
    blocks.predict_latency([(arch, 96), (arch, 64)], threads=2)
    assert before < len(clock.timed) <= before + len(list(arch.layers(64))), "only what is new"


def test_threads_and_runtimes_have_tables_of_their_own(clock: Clock) -> None:
    pytest.importorskip("openvino")
    places = {blocks.table_file(way, threads) for way in blocks.WAYS for threads in (1, 2)}
    assert len(places) == 2 * len(blocks.WAYS)
    assert all(place.parent.name == "latency" for place in places)


def test_a_runtime_without_tables_is_refused_before_anything_is_timed(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SettingError, match="There is no runtime 'onyx'"):
        blocks.predict_latency([(find("mobilenetv2_050"), 96)], way="onyx")
    monkeypatch.setattr(blocks, "is_here", lambda _module: False)
    with pytest.raises(SettingError, match="pip install onnxruntime"):
        blocks.predict_latency([(find("mobilenetv2_050"), 96)])
    assert not clock.timed


def test_what_another_process_has_timed_meanwhile_stays(clock: Clock) -> None:
    layers = [layer for _, layer in find("mobilenetv2_050").layers(96)]
    place = blocks.table_file("onnx", 2)
    table = blocks.latency_table(layers[:3], threads=2)
    ours, theirs = table.with_blocks({"ours": Block(1.0, 1)}), table.with_blocks({"theirs": Block(2.0, 1)})
    blocks.keep(theirs, place)
    blocks.keep(ours, place)
    found = blocks.read_table(place)
    assert found is not None
    assert {"ours", "theirs"} <= set(found.blocks)


def test_two_that_write_at_once_lose_nothing(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("fcntl", reason="Windows has no such locks")
    place, read = blocks.table_file("onnx", 2), blocks.read_table

    def slowly(place: Path) -> LatencyTable | None:
        found = read(place)
        time.sleep(0.1)  # long enough for the others to read the same
        return found

    monkeypatch.setattr(blocks, "read_table", slowly)
    table = LatencyTable("onnx", 2, {})
    threads = [
        Thread(target=blocks.keep, args=(table.with_blocks({name: Block(1.0, 1)}), place)) for name in ("a", "b", "c")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    found = read(place)
    assert found is not None
    assert set(found.blocks) == {"a", "b", "c"}


def test_a_damaged_table_is_made_again(clock: Clock) -> None:
    place = blocks.table_file("onnx", 2)
    place.parent.mkdir(parents=True)
    place.write_text("{")
    assert blocks.read_table(place) is None
    assert blocks.predict_latency([(find("mobilenetv2_050"), 96)], threads=2)[0].ms > 0


def test_dropout_takes_no_time_and_no_probe() -> None:
    layers = [layer for _, layer in find("mobilenetv2_050").layers(96) if isinstance(layer.op, Dropout)]
    assert blocks.time_blocks(layers, Pace("onnx", 1, 0.2, lambda x: x)) == {block_key(layers[0]): Block(0.0, 0)}


def test_a_real_network_is_measured_whole() -> None:
    arch = find("mobilenetv3_small_035").with_classes(4)
    assert 0 < blocks.measure_whole(blocks.whole_model(arch, 32), 32, pace_of("onnx", 1), seconds=0.1) < 1000
