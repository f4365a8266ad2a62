"""A network's milliseconds, bytes and memory on this device's runtimes, measured with drawn weights before any training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..arch.spec import Arch
from ..data.preprocess import Preprocess
from ..deploy.bench.contestant import of_network
from ..deploy.bench.peak import peak_memory
from ..deploy.certificate import latency
from ..deploy.eager import untrained
from ..deploy.graph import to_export
from ..deploy.runtime.known import find_way
from ..deploy.runtime.onnx import exported
from ..deploy.runtime.opening import open_model
from ..deploy.runtime.openvino import from_onnx
from ..errors import LinnetError
from ..nn.net import Net

SECONDS = 0.7  # a way is timed for so long


@dataclass(frozen=True)
class Measured:
    """Median milliseconds of a call with one image, bytes of the files, and bytes of memory where they were asked for."""

    latency_ms: float
    size_bytes: int
    memory_bytes: int | None = None


# (network with its classes, side, ways, threads, with memory) -> by way what was found; a way that cannot take it is missing
Measure = Callable[[Arch, int, Sequence[str], int, bool], dict[str, Measured]]


def measure(arch: Arch, image: int, ways: Sequence[str], threads: int, memory: bool) -> dict[str, Measured]:
    """Each of `ways`, with so many threads (0: one per core)."""
    net = untrained(replace(arch, image=image))
    found = {}
    for way, files in files_of(net, image, ways).items():
        known, precision = find_way(way)
        picture = np.random.default_rng(0).standard_normal((1, 3, image, image)).astype(np.float32)
        try:
            run = open_model(known.name, precision, list(files), threads=threads)
            took = latency(run, picture, seconds=SECONDS)["median_ms"]
        except LinnetError:
            continue
        peak = peak_memory(known.name, precision, files, picture, threads=threads) if memory else None
        found[way] = Measured(took, sum(map(len, files)), peak.peak_bytes if peak else None)
    return found


def files_of(net: Net, image: int, ways: Sequence[str]) -> dict[str, tuple[bytes, ...]]:
    """The bytes of each way's files; of those that cannot take the network there are none."""
    preprocess, found = Preprocess(image=image), dict[str, tuple[bytes, ...]]()
    exact = [way for way in ways if find_way(way)[1] != "int8"]
    if any(find_way(way)[0].name in ("onnx", "openvino") for way in exact):
        model = exported(*to_export(net, preprocess)).SerializeToString()  # seconds: once for both
        alike: dict[str, tuple[bytes, ...]] = {"onnx": (model,)}
        if any(find_way(way)[0].name == "openvino" for way in exact):
            alike["openvino"] = from_onnx(model)
        found |= {way: alike[find_way(way)[0].name] for way in exact if find_way(way)[0].name in alike}
    others = [way for way in ways if way not in found]
    if others:
        found |= {one.way: one.files for one in of_network(replace(net.arch, image=image), others, [], net)}
    return found
