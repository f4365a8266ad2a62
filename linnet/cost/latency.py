"""Latency tables: what each block takes on one runtime of one device, and from them what any network will take.

A block is a `Layer`: the runtime fuses what is inside it (norms, activations, residual sums), and a network is its layers
one after the other. What the sum misses, time between nodes and caches that are warmer or colder than when the blocks
were timed, a few networks measured whole say: `Correction`. Who times is elsewhere (linnet/deploy/latency/blocks.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from ..arch.spec import Arch, Layer
from ..errors import SettingError, WeightsError

SCHEMA = 1
UNCHECKED = 0.25  # the error to expect, as a share, where too few whole networks were measured to know it
ENOUGH = 5  # whole networks before their errors say anything


class Block(NamedTuple):
    """What one layer takes: milliseconds for one image, and how many fused nodes the runtime makes of it."""

    ms: float
    nodes: int


class Whole(NamedTuple):
    """A network that was measured whole, beside the sum over its blocks."""

    name: str
    image: int
    blocks_ms: float
    nodes: int
    ms: float


class Prediction(NamedTuple):
    """Milliseconds for one image. Nine of ten networks are expected between `low` and `high`."""

    ms: float
    low: float
    high: float


@dataclass(frozen=True)
class Correction:
    """From the sum over blocks to the whole: factor * blocks_ms + per_node * nodes + per_call, in milliseconds."""

    factor: float = 1.0
    per_node: float = 0.0
    per_call: float = 0.0

    def whole(self, blocks_ms: float, nodes: int) -> float:
        # Profilers add time to each node, which the fit takes off again; of a very small network it could take too much.
        return max(self.factor * blocks_ms + self.per_node * nodes + self.per_call, 0.25 * blocks_ms)


@dataclass(frozen=True)
class LatencyTable:
    """The blocks that were timed on one device, with one runtime and precision (`way`) and so many threads.

    `machine` says on which, and with which version of the runtime. Blocks are kept by `block_key`. All times are those of a
    machine that takes `pace_ms` for a small network that is always the same (linnet/deploy/latency/pace.py).
    """

    way: str
    threads: int
    machine: Mapping[str, Any]
    pace_ms: float = 0.0  # not known yet
    blocks: Mapping[str, Block] = field(default_factory=dict[str, Block])
    wholes: tuple[Whole, ...] = ()

    def missing(self, layers: Iterable[Layer]) -> list[Layer]:
        """Those of `layers` that are not in the table, each block once."""
        found = {block_key(layer): layer for layer in layers}
        return [layer for key, layer in found.items() if key not in self.blocks]

    def sum(self, layers: Iterable[Layer]) -> Block:
        """All of `layers` together. KeyError for one that is `missing`."""
        found = [self.blocks[block_key(layer)] for layer in layers]
        return Block(sum(block.ms for block in found), sum(block.nodes for block in found))

    def predict(self, arch: Arch, image: int | None = None) -> Prediction:
        """What `arch` takes for one image of `image` pixels (the paper's own if not given).

        Raises: SettingError when a block of it was not timed.
        """
        layers = [layer for _, layer in arch.layers(image)]
        if missing := self.missing(layers):
            raise SettingError(
                f"{arch.name}: {len(missing)} of its blocks are not in the table of {self.way}, the first is"
                f" {missing[0].op}. Time them first: linnet.deploy.latency.blocks.predict_latency does."
            )
        ms = self.correction.whole(*self.sum(layers))
        return Prediction(ms, ms * max(0.0, 1 - self.error), ms * (1 + self.error))

    @cached_property
    def correction(self) -> Correction:
        return fitted(self.wholes)

    @cached_property
    def errors(self) -> tuple[float, ...]:
        """How far each whole network is from what the others' correction predicts for it: predicted / measured - 1."""
        return tuple(left_out(self.wholes))

    @property
    def error(self) -> float:
        """The share that nine of ten networks stay within (of those measured whole); UNCHECKED where these are too few."""
        return float(np.percentile(np.abs(self.errors), 90)) if len(self.wholes) >= ENOUGH else UNCHECKED

    def with_blocks(self, blocks: Mapping[str, Block]) -> LatencyTable:
        return replace(self, blocks={**self.blocks, **blocks})

    def with_whole(self, whole: Whole) -> LatencyTable:
        """With one more network measured whole; it takes the place of an earlier measurement of the same."""
        others = [one for one in self.wholes if (one.name, one.image) != (whole.name, whole.image)]
        return replace(self, wholes=(*others, whole))

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "way": self.way,
            "threads": self.threads,
            "machine": dict(self.machine),
            "pace_ms": self.pace_ms,
            "correction": vars(self.correction),
            "blocks": {key: [round(block.ms, 5), block.nodes] for key, block in sorted(self.blocks.items())},
            "wholes": [one._asdict() for one in self.wholes],
        }

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> LatencyTable:
        """Raises: WeightsError for what `to_json` did not write."""
        try:
            if value["schema"] != SCHEMA:
                raise ValueError
            blocks = {str(key): Block(float(ms), int(nodes)) for key, (ms, nodes) in value["blocks"].items()}
            wholes = tuple(
                Whole(str(w["name"]), int(w["image"]), float(w["blocks_ms"]), int(w["nodes"]), float(w["ms"]))
                for w in value["wholes"]
            )
            about = str(value["way"]), int(value["threads"]), dict(value["machine"]), float(value["pace_ms"])
            return LatencyTable(*about, blocks, wholes)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise WeightsError(
                "This is no latency table, or one of another version. Remove the file: it is measured again."
            ) from None


def block_key(layer: Layer) -> str:
    """What the time of a layer depends on, in words. The style's eps and momentum change nothing, dropout's place neither.

    >>> from linnet.arch.names import find
    >>> block_key(next(layer for _, layer in find("mobilenetv2_100").layers()))
    'Conv(c=0, k=3, pad=None, groups=1, act=None) 3x224x224 to 32x112x112, stride 2, relu6 batch symmetric'
    """
    shapes = " to ".join("x".join(map(str, shape)) for shape in (layer.input_shape, layer.output_shape))
    dilated = f", dilation {layer.dilation}" if layer.dilation > 1 else ""
    style = layer.style
    return f"{layer.op!r} {shapes}, stride {layer.stride}{dilated}, {style.act} {style.norm} {style.pad}"


# How far the correction may go where few networks speak for it: it is drawn to a factor of 1, and nothing beside. In
# units of one measured network, whose errors are shares of its latency.
DOUBT = 0.02
SCALES = (1.0, 0.002, 0.05)  # how large factor - 1, ms per node and ms per call can well be


def fitted(wholes: Sequence[Whole]) -> Correction:
    """The correction that brings the sums over blocks closest to the whole networks: least squares of relative errors."""
    if not wholes:
        return Correction()
    ms = np.array([one.ms for one in wholes])
    parts = np.array([[one.blocks_ms, one.nodes, 1.0] for one in wholes]) * np.array(SCALES) / ms[:, None]
    off = 1 - np.array([one.blocks_ms for one in wholes]) / ms  # what the correction has to add, as a share
    system = np.vstack([parts, DOUBT * np.eye(3)])
    found, *_ = np.linalg.lstsq(system, np.concatenate([off, np.zeros(3)]), rcond=None)
    factor, per_node, per_call = (float(x) for x in found * np.array(SCALES))
    return Correction(1 + factor, per_node, per_call)


def left_out(wholes: Sequence[Whole]) -> list[float]:
    """Of each network, how far off it is predicted by a correction that has not seen it: predicted / measured - 1."""
    found = list[float]()
    for i, one in enumerate(wholes):
        correction = fitted([*wholes[:i], *wholes[i + 1 :]])
        found.append(correction.whole(one.blocks_ms, one.nodes) / one.ms - 1)
    return found
