"""How fast the machine is at this moment: a small network that is always the same, timed before and after each measurement.

On a shared machine everything takes 1.4 times as long for half a minute, and then not; medians do not help against that, nor
does waiting for silence. The small network slows down with the rest, so its time says by how much.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median
from typing import TypeVar

import numpy as np

from ..runtime.known import Run, find_way

TICK = 0.08  # seconds that the small network is timed for
TRIES = 3
STEADY = 0.04  # by how much the pace may change during a measurement, as a share, before it is tried again
Value = TypeVar("Value")


@dataclass(frozen=True)
class Pace:
    """The pace on one way, with so many threads. At `ms` per call of the small network the machine is as it should be."""

    way: str
    threads: int
    ms: float
    run: Run = field(repr=False, compare=False)

    def tick(self) -> float:
        """Milliseconds of a call now: the median over TICK seconds."""
        return tick(self.run)

    def steadily(self, measure: Callable[[], Value]) -> tuple[Value, float]:
        """What `measure` gives, and how many times slower than it should be the machine was meanwhile.

        Where the pace changed during it, it is done again, up to TRIES times; the steadiest counts.
        """
        tries = list[tuple[float, Value, float]]()
        before = self.tick()
        for _ in range(TRIES):
            value = measure()
            after = self.tick()
            tries.append((abs(after / before - 1), value, (before + after) / 2))
            if tries[-1][0] < STEADY:
                break
            before = after
        _, value, ms = min(tries, key=lambda one: one[0])
        return value, ms / self.ms


def pace_of(way: str, threads: int, ms: float = 0.0) -> Pace:
    """The pace of this machine; without `ms` it is as it should be at the best of what is seen in a second."""
    run = open_onnx(small_network(), way, threads)
    tick(run)
    return Pace(way, threads, ms or min(tick(run) for _ in range(12)), run)


def open_onnx(model: bytes, way: str, threads: int) -> Run:
    """An ONNX file's model on a runtime that has latency tables."""
    from ..runtime.opening import open_model

    known, precision = find_way(way)
    files = [model]
    if known.name == "openvino":
        from ..runtime.openvino import from_onnx

        files = list(from_onnx(model))
    return open_model(known.name, precision, files, threads=threads)


def tick(run: Run) -> float:
    image = np.zeros((1, 32, 28, 28), np.float32)
    took = list[float]()
    began = time.perf_counter()
    while not took or time.perf_counter() - began < TICK:
        start = time.perf_counter()
        run(image)
        took.append(1000 * (time.perf_counter() - start))
    return median(took)


def small_network(layers: int = 8) -> bytes:
    """Pointwise and 3 x 3 depthwise convolutions in turn over a map [1, 32, 28, 28], as an ONNX file: a fifth of a millisecond."""
    import onnx
    from onnx import TensorProto, helper

    rng, nodes, weights, name = np.random.default_rng(0), [], [], "images"
    for i in range(layers):
        deep = i % 2 == 1
        shape = (128, 1, 3, 3) if deep else (128, 32 if i == 0 else 128, 1, 1)
        values = rng.standard_normal(shape).astype(np.float32) / np.float32(shape[1] * shape[2] * 3) ** 0.5
        weights.append(
            helper.make_tensor(f"w{i}", TensorProto.FLOAT, shape, values.astype(np.float32).tobytes(), raw=True)
        )
        pads = {"pads": [1, 1, 1, 1], "group": 128} if deep else {}
        nodes.append(helper.make_node("Conv", [name, f"w{i}"], [f"c{i}"], **pads))
        nodes.append(helper.make_node("Relu", [f"c{i}"], [f"r{i}"]))
        name = f"r{i}"
    nodes.append(helper.make_node("GlobalAveragePool", [name], ["pooled"]))
    nodes.append(helper.make_node("Flatten", ["pooled"], ["logits"]))
    graph = helper.make_graph(
        nodes, "pace",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 32, 28, 28])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 128])],
        weights,
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    return model.SerializeToString()
