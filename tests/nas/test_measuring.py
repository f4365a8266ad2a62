"""Networks with drawn weights on the runtimes that are here."""

from __future__ import annotations

import pytest

from linnet.arch.names import find
from linnet.deploy.eager import untrained
from linnet.nas import measuring
from linnet.nas.budget import can_make
from linnet.nas.measuring import files_of, measure


def test_a_tiny_network_is_timed_and_weighed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "SECONDS", 0.05)
    arch = find("mobilenetv3_small_035").with_classes(3)
    ways = [way for way in ("onnx", "openvino", "openvino-bf16") if can_make(way)]
    found = measure(arch, 32, ways, 1, False)
    assert set(found) == set(ways)
    assert "onnx" in found
    for one in found.values():
        assert one.latency_ms > 0
        assert one.size_bytes > 4 * sum(p.numel() for p in untrained(arch).parameters())
        assert one.memory_bytes is None


def test_what_cannot_be_quantised_is_not_among_the_options(monkeypatch: pytest.MonkeyPatch) -> None:
    net = untrained(find("mobilenetv3_small_035").with_classes(3))

    def broken(*_args: object) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr("linnet.deploy.runtime.onnx_int8.prepare", broken)
    assert files_of(net, 32, ["onnx-int8"]) == {}
