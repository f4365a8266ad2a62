"""Which layers int8 hurts: how noisy each is, and how much nearer the answers are with that one left in float."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..runtime.known import Run
from ..runtime.onnx_int8 import Float, noise, quantise
from .gate import divergence

IMAGES = 32  # that a layer is judged on


@dataclass(frozen=True)
class Culprit:
    """One layer. `signal_to_noise_db`: of its output, in a network that is all int8.

    `divergence_all` and `divergence_without`: how far the answers are from those in float, in nats a photo, with all layers
    in int8 and with this one left in float.
    """

    layer: str
    signal_to_noise_db: float | None  # none where its output is not to be seen in the int8 network
    divergence_all: float
    divergence_without: float

    @property
    def gain(self) -> float:
        return self.divergence_all - self.divergence_without

    def to_json(self) -> dict[str, Any]:
        return {key: round(value, 6) if isinstance(value, float) else value for key, value in asdict(self).items()}


def culprits(
    prepared: Float,
    setting: str,
    images: Sequence[np.ndarray],
    *,
    load: Callable[[bytes], Run],
    several: bool = False,
    done: Callable[[int], None] | None = None,
) -> tuple[Culprit, ...]:
    """All layers that can be int8, the one first whose float brings the answers nearest to the float network's.

    Measured in ONNX Runtime, whatever runtime the answer is for: it is the network's numbers that are hard to round, and
    one way of rounding them stands for the others. `images` are batches as the file takes them.
    """
    said = np.concatenate([load(prepared.model.SerializeToString())(batch) for batch in images])
    whole = quantise(prepared, setting)[0]

    def away(model: bytes) -> float:
        run = load(model)
        return divergence(said, np.concatenate([run(batch) for batch in images]), several=several)

    loud, everything = noise(prepared, whole, images), away(whole)
    found = []
    for layer in prepared.layers:
        alone = away(quantise(prepared, setting, {layer})[0])
        found.append(Culprit(layer, loud.get(layer), everything, alone))
        if done:
            done(1)
    return tuple(sorted(found, key=lambda one: (-one.gain, one.layer)))
