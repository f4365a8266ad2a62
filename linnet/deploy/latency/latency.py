"""The verb `latency`: what a network takes on this device, row by row of its table, predicted from timed blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from ...arch.show import Cell, Sheet, show
from ...errors import SettingError

if TYPE_CHECKING:
    from ...arch.spec import Arch
    from ...cost.latency import Block, Correction, LatencyTable, Prediction


@dataclass(frozen=True)
class RowLatency:
    """Of one row of the table: milliseconds of all its layers, as much of the whole as they are expected to take."""

    name: str
    operator: str
    output: tuple[int, ...]
    layers: int
    ms: float


@dataclass(frozen=True)
class Latency:
    """A network's latency for one image. The rows and the `call` itself add up to the prediction."""

    name: str
    image: int
    way: str
    threads: int
    rows: tuple[RowLatency, ...]
    call: float
    predicted: Prediction
    measured_ms: float | None  # of the whole network, if that was asked for, at the table's pace
    networks: int  # that were measured whole on this device
    median_error: float | None  # of predicting each of them from the others, as a share; none where these are too few
    table: Path
    correction: Correction = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "image": self.image,
            "runtime": self.way,
            "threads": self.threads,
            "rows": [vars(row) | {"ms": round(row.ms, 4)} for row in self.rows],
            "call_ms": round(self.call, 4),
            "predicted": {name: round(value, 3) for name, value in self.predicted._asdict().items()},
            "measured_ms": self.measured_ms,
            "networks_measured": self.networks,
            "median_error": self.median_error,
            "correction": vars(self.correction),
            "table": str(self.table),
        }

    def __str__(self) -> str:
        ms = self.predicted.ms
        cells: tuple[tuple[Cell, ...], ...] = tuple(
            (row.name, row.operator, "x".join(map(str, row.output)), row.layers, _ms(row.ms), _percent(row.ms / ms))
            for row in self.rows
        )
        whole: tuple[Cell, ...] = ("total", None, None, sum(row.layers for row in self.rows), _ms(ms), None)
        columns = ("row", "operator", "output", "layers", "ms", "%")
        title = f"{self.name} at {self.image} x {self.image} on {self.way}, {self.threads} threads, one image"
        return show(
            Sheet(title, columns, (*cells, ("call", "", "", None, _ms(self.call), None)), whole, self.note()), "text"
        )

    def note(self) -> str:
        """How sure it is, and where it comes from."""
        said = f"predicted {self.predicted.ms:.2f} ms, likely {self.predicted.low:.2f} to {self.predicted.high:.2f}"
        if self.measured_ms is not None:
            said += f"; measured {self.measured_ms:.2f} ms ({100 * (self.predicted.ms / self.measured_ms - 1):+.1f} %)"
        of = f"{self.networks} networks measured whole here, each predicted without its own measurement"
        error = "" if self.median_error is None else f" Half of {of}, are within {100 * self.median_error:.1f} %."
        return f"{said}.{error} Table: {self.table}"


def latency(
    name: str, *, image: int | None = None, runtime: str = "onnx", threads: int = 0, measure: bool = False
) -> Latency:
    """Predict what a network takes on this device, row by row, from its blocks timed on a runtime.

    Blocks that were not seen before are timed first, in a probe that holds them alone: a minute or two for the first
    network ever, then seconds, then nothing. Latencies are those of one image; weights do not matter.

    Args:
        name: Name of the network, such as efficientnet_b0.
        image: Side of the image in pixels; the paper's own if not given.
        runtime: onnx, openvino or openvino-bf16.
        threads: Threads of the runtime; 0 means one per core.
        measure: Measure the whole network too, and let the table learn from it.

    Raises:
        SettingError: the name, the runtime or a number is not allowed, or the runtime is not installed.
    """
    from ...arch.names import find
    from .blocks import keep, latency_table, table_file, with_measured

    if image is not None and image < 1:
        raise SettingError(f"image is {image}: give a side in pixels, 1 or more.")
    if threads < 0:
        raise SettingError(f"threads is {threads}: give 1 or more, or 0 for one per core.")
    arch = find(name)
    side, place = image or arch.image, table_file(runtime, threads)
    table = latency_table([layer for _, layer in arch.layers(side)], way=runtime, threads=threads)
    predicted = table.predict(arch, side)  # before the table learns from this very network
    measured = None
    if measure:
        learnt = with_measured(table, arch, side)
        keep(learnt, place)
        measured = learnt.wholes[-1].ms
    return latency_of(table, arch, side, predicted, measured, place)


def latency_of(
    table: LatencyTable, arch: Arch, image: int, predicted: Prediction, measured: float | None, place: Path
) -> Latency:
    """The rows of `arch` by a table that has all its blocks."""
    from ...cost.latency import ENOUGH

    correction, layers = table.correction, list(arch.layers(image))
    own = [[layer for at, layer in layers if at == i] for i in range(len(arch.row_names))]
    taken, call = shares([table.sum(row) for row in own], correction, predicted.ms)
    rows = [
        RowLatency(name, " + ".join(dict.fromkeys(str(layer.op) for layer in row)), row[-1].output_shape, len(row), ms)
        for name, row, ms in zip(arch.row_names, own, taken, strict=True)
    ]
    error = median(map(abs, table.errors)) if len(table.wholes) >= ENOUGH else None
    return Latency(
        arch.name, image, table.way, table.threads, tuple(rows), call, predicted, measured, len(table.wholes), error,
        place, correction,
    )  # fmt: skip


def shares(sums: Sequence[Block], correction: Correction, whole: float) -> tuple[list[float], float]:
    """What each row and the call take of `whole` milliseconds, all of them together.

    The correction may take more off a row, or off the call, than is there: then that is nothing, and the others are less.
    """
    rows = [max(0.0, correction.factor * one.ms + correction.per_node * one.nodes) for one in sums]
    call = max(0.0, correction.per_call)
    if not any(rows) and not call:
        rows = [one.ms for one in sums]
    scale = whole / ((sum(rows) + call) or 1.0)
    return [scale * ms for ms in rows], scale * call


def _ms(ms: float) -> Decimal:
    return Decimal(f"{ms:.3f}")


def _percent(share: float) -> Decimal:
    return Decimal(f"{100 * share:.1f}")
