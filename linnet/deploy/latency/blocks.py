"""Blocks timed on a runtime of this device, kept in the user's cache, and what any network will take by them.

The table itself is a value, `linnet.cost.latency.LatencyTable`; here is who measures and where it lies. One image at a time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

from ...arch.names import find
from ...arch.spec import Arch, Dropout, Layer
from ...cores import available_cores
from ...cost.latency import ENOUGH, Block, LatencyTable, Prediction, Whole, block_key
from ...errors import SettingError, WeightsError
from ...evaluation.progress import shown_progress
from ...files import cache_folder, locked, write_json
from ..runtime.known import find_way, is_here, not_here
from .pace import Pace, open_onnx, pace_of

WAYS = ("onnx", "openvino", "openvino-bf16")  # runtimes that say what each node took, at precisions without calibration
# Measured whole when a table is new, for its correction: small ones of several kinds (benchmarks/latency_table.py says how
# well these few do).
REFERENCES = (("mobilenetv1_050", 160), ("mobilenetv2_050", 128), ("mobilenetv3_small_075", 160), ("lcnet_100", 224),
              ("resnet18", 224), ("efficientnet_b0", 224))  # fmt: skip
AT_ONCE = 32  # blocks in one probe: an export takes seconds whatever is in it
LEAST = 12  # branches in one probe, so that weights do not stay in the processor's nearest caches from call to call


def predict_latency(archs: Sequence[tuple[Arch, int]], way: str = "onnx", threads: int = 0) -> list[Prediction]:
    """Milliseconds for one image of each (network, side of the image in pixels), with so many threads (0: one per core).

    Blocks that were not seen before are timed first: a minute for the first network ever, then seconds. Their table is
    kept in the user's cache.
    Raises: SettingError for a runtime that is not known or installed, or has no tables.
    """
    table = latency_table([layer for arch, image in archs for _, layer in arch.layers(image)], way=way, threads=threads)
    return [table.predict(arch, image) for arch, image in archs]


def latency_table(layers: Iterable[Layer], *, way: str = "onnx", threads: int = 0) -> LatencyTable:
    """The table of this device for a runtime, with all of `layers` in it: what is missing is timed, and the file written."""
    place = table_file(way, threads)
    table = read_table(place) or LatencyTable(way, threads or available_cores(), machine_of(way))
    references = [] if len(table.wholes) >= ENOUGH else [(find(name), image) for name, image in REFERENCES]
    wanted = [*layers, *(layer for arch, image in references for _, layer in arch.layers(image))]
    missing = table.missing(wanted)
    if not missing and not references:
        return table
    pace = pace_of(way, table.threads, table.pace_ms)
    table = replace(table, pace_ms=pace.ms)
    with shown_progress(len(missing) + len(references), f"timing blocks on {way}") as advance:
        while missing:
            some, missing = missing[:AT_ONCE], missing[AT_ONCE:]
            table = table.with_blocks(time_blocks(some, pace))
            keep(table, place)
            if advance:
                advance(len(some))
        for arch, image in references:
            table = with_measured(table, arch, image, pace)
            keep(table, place)
            if advance:
                advance(1)
    return table


def with_measured(table: LatencyTable, arch: Arch, image: int, pace: Pace | None = None) -> LatencyTable:
    """The table with `arch` measured whole, from which its correction learns; its blocks must be in the table."""
    blocks = table.sum(layer for _, layer in arch.layers(image))
    pace = pace or pace_of(table.way, table.threads, table.pace_ms)
    ms = measure_whole(whole_model(arch, image), image, pace)
    return table.with_whole(Whole(arch.name, image, blocks.ms, blocks.nodes, ms))


def time_blocks(layers: Sequence[Layer], pace: Pace) -> dict[str, Block]:
    """Each of `layers` timed in one probe: its `block_key` and what it takes."""
    from .probe import probe_model

    timed = [layer for layer in layers if not isinstance(layer.op, Dropout)]  # which does nothing when it is used
    nothing = {block_key(layer): Block(0.0, 0) for layer in layers if isinstance(layer.op, Dropout)}
    if not timed:
        return nothing
    branches = timed * max(1, -(-LEAST // len(timed)))
    return nothing | time_probe(probe_model(branches), branches, pace)


def time_probe(model: bytes, branches: Sequence[Layer], pace: Pace) -> dict[str, Block]:
    """The blocks of a probe's file, as the machine is at its own pace; of a layer with several branches the median."""
    import numpy as np

    from .probe import CHANNELS, by_branch, side_of

    known, precision = find_way(pace.way)
    node_times: Callable[..., Any] = import_module(f"..runtime.{known.name}", __package__).node_times
    side = side_of(branches)
    pictures = np.random.default_rng(0).standard_normal((1, CHANNELS, side, side)).astype(np.float32)
    times, slower = pace.steadily(lambda: node_times(model, pictures, precision=precision, threads=pace.threads))
    several: dict[str, list[tuple[float, int]]] = {}
    for layer, one in zip(branches, by_branch(times, len(branches)), strict=True):
        several.setdefault(block_key(layer), []).append(one)
    return {key: Block(median(ms for ms, _ in each) / slower, each[0][1]) for key, each in several.items()}


def whole_model(arch: Arch, image: int) -> bytes:
    """The ONNX file of `arch` with weights drawn at random, as `linnet export` makes it of trained ones."""
    from ...data.preprocess import Preprocess
    from ...nn.build import build
    from ..graph import to_export
    from ..runtime.onnx import exported

    net = build(replace(arch, image=image)).eval()
    return exported(*to_export(net, Preprocess(image=image))).SerializeToString()


def measure_whole(model: bytes, image: int, pace: Pace, *, seconds: float = 0.5) -> float:
    """Median milliseconds of a call with one image, from an ONNX file, as the machine is at its own pace."""
    import numpy as np

    from ..certificate import latency

    run = open_onnx(model, pace.way, pace.threads)
    picture = np.random.default_rng(0).standard_normal((1, 3, image, image)).astype(np.float32)
    found, slower = pace.steadily(lambda: latency(run, picture, seconds=seconds, least=10))
    return found["median_ms"] / slower


def table_file(way: str, threads: int = 0) -> Path:
    """Where the table of this machine, runtime, version, precision and number of threads is kept.

    Raises: SettingError for a runtime that is not known or installed, or has no tables.
    """
    known, _ = find_way(way)
    if way not in WAYS:
        raise SettingError(
            f"There are no latency tables for {way}; allowed: {', '.join(WAYS)}. Measure it whole instead."
        )
    if not is_here(known.module):
        raise not_here(known.name)
    digest = hashlib.sha256(json.dumps(machine_of(way), sort_keys=True).encode()).hexdigest()[:8]
    return cache_folder() / "latency" / f"{way}-{threads or available_cores()}-threads-{digest}.json"


def machine_of(way: str) -> dict[str, Any]:
    """What a time depends on beside the network: another processor or version of the runtime has a table of its own."""
    from ..certificate import machine
    from ..runtime_check import installed_version

    return {**machine(), "runtime": installed_version(find_way(way)[0].package)}


def read_table(place: Path) -> LatencyTable | None:
    """The table in a file; none where there is none, or none that can be read: it is a cache."""
    try:
        return LatencyTable.from_json(json.loads(place.read_text(encoding="utf-8")))
    except (OSError, ValueError, WeightsError):
        return None


def keep(table: LatencyTable, place: Path) -> None:
    """Write the table; what another process has measured in the meantime stays."""
    with locked(place):
        whole = read_table(place) or table
        for one in table.wholes:
            whole = whole.with_whole(one)
        write_json(place, whole.with_blocks(table.blocks).to_json())
