"""int8 after training: quantised, judged on validation photos, and with the fewest layers left in float that this takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from math import isfinite
from typing import Any

import numpy as np
import torch

from ...data.preprocess import Preprocess
from ...errors import ProofError
from ...evaluation.progress import shown_progress
from ...nn.net import Net
from ..certificate import right
from ..choice import Choice
from ..runtime import onnx_int8
from ..runtime.known import KnownRuntime, way
from ..runtime.onnx import load_onnx
from ..runtime.opening import open_model
from .gate import Verdict, divergence, judge
from .sensitivity import IMAGES, Culprit, culprits

BATCH = 8


@dataclass(frozen=True, eq=False)
class Trial:
    """One file set that was tried: how it was made, and what the gate says of it."""

    setting: str
    float_layers: tuple[str, ...]
    files: tuple[bytes, ...]
    verdict: Verdict


@dataclass(frozen=True, eq=False)
class Quantised:
    """The files in the order of KnownRuntime.files_of("int8"), and what a certificate states of how they were made."""

    files: tuple[bytes, ...]
    verdict: Verdict
    facts: dict[str, Any]


def quantised(
    net: Net,
    preprocess: Preprocess,
    known: KnownRuntime,
    choice: Choice,
    *,
    threads: int,
    uint8: bool = False,
    ending: str = "",
) -> Quantised:
    """The network in int8 for one runtime, within the gate.

    First all in int8, by whichever setting keeps the answers on the calibration photos nearest to the float network's. If
    more is lost on the validation photos than may be, layers are left in float: the most sensitive first, as few as
    suffice. With an `ending` (see graph.ENDINGS) the files give probabilities of the very logits that were judged.
    Raises: ProofError, naming the worst layers, when half of the layers in float do not suffice.
    """
    maker = import_module(f"..runtime.{known.name}_int8", __package__)
    name = way(known.name, "int8")
    asked = asker(preprocess, uint8=uint8)
    images = [asked(part) for part in parts(choice.calibration.pixels)]
    prepared = maker.prepare(net, preprocess, images, uint8=uint8)
    several = choice.calibration.labels.ndim == 2
    wanted = answers_of(net, preprocess, choice.calibration.pixels)
    float_right = right(answers_of(net, preprocess, choice.validation.pixels), choice.validation.labels)

    def attempt(setting: str, layers: Sequence[str]) -> Trial:
        files = tuple(maker.quantise(prepared, setting, set(layers)))
        run = open_model(known.name, "int8", list(files), threads=threads)
        said = np.concatenate([run(asked(part)) for part in parts(choice.validation.pixels)])
        verdict = judge(float_right, right(said, choice.validation.labels), choice.max_drop)
        return Trial(setting, tuple(layers), files, verdict)

    def distance(setting: str) -> float:
        run = open_model(known.name, "int8", maker.quantise(prepared, setting), threads=threads)
        said = np.concatenate([run(batch) for batch in images])
        return divergence(wanted, said, several=several)

    distances = {setting: distance(setting) for setting in maker.SETTINGS}
    setting = min(distances, key=distances.__getitem__)
    first = attempt(setting, ())
    facts: dict[str, Any] = {
        "calibration": choice.calibration.to_json(),
        "quantiser": {"setting": setting, "divergence": {k: round(v, 6) for k, v in distances.items() if isfinite(v)}},
    }
    best, worst = first, tuple[Culprit, ...]()
    if not first.verdict.passed:
        worst = worst_layers(net, preprocess, images, setting, prepared, several=several, uint8=uint8, name=name)
        best = fewest(attempt, setting, [one.layer for one in worst])
        if best is None:
            named = ", ".join(one.layer for one in worst[:3])
            raise ProofError(
                f"{name} {first.verdict}, also with half of its layers left in float, so it is not in the bundle. The"
                f" most sensitive are {named}. Allow more with --max-drop, take float32 or bf16, or let it learn to bear int8 (not"
                f" MobileOne or RepViT): linnet train PHOTOS --recipe int8_fine_tune --pretrained RUN --arch {net.arch.name}"
                f" --image {preprocess.image}"
            )
    left = [one.to_json() for one in worst if one.layer in best.float_layers]
    gate = {"split": choice.validation.split, "sha256": choice.validation.sha256, **best.verdict.to_json()}
    facts |= {"gate": gate, "decided": best.verdict.decided, "float_layers": left}
    if worst:
        facts |= {"all_int8": first.verdict.to_json(), "culprits": [one.to_json() for one in worst[:10]]}
    files = tuple(maker.with_ending(prepared, best.files, ending)) if ending else best.files
    return Quantised(files, best.verdict, facts)


def worst_layers(
    net: Net,
    preprocess: Preprocess,
    images: Sequence[np.ndarray],
    setting: str,
    prepared: Any,
    *,
    several: bool,
    uint8: bool,
    name: str,
) -> tuple[Culprit, ...]:
    """`culprits` on the first of the calibration images, with a bar: it takes a second a layer."""
    few = images[: IMAGES // BATCH]
    if not isinstance(prepared, onnx_int8.Float):
        prepared, setting = onnx_int8.prepare(net, preprocess, images, uint8=uint8), "usual"  # as NNCF takes ranges
    with shown_progress(len(prepared.layers), f"{name}: layer by layer") as progress:
        return culprits(prepared, setting, few, load=load_onnx, several=several, done=progress)


def fewest(attempt: Callable[[str, Sequence[str]], Trial], setting: str, layers: Sequence[str]) -> Trial | None:
    """The trial with the fewest of `layers`, the most sensitive first, in float that passes; none where half do not.

    Their number is doubled until one passes, then halved in: more in float is taken to lose less.
    """
    most = len(layers) // 2
    failed, number, best = 0, 1, None
    while best is None and failed < most:
        number = min(number, most)
        trial = attempt(setting, layers[:number])
        failed, best, number = (failed, trial, number) if trial.verdict.passed else (number, None, 2 * number)
    while best is not None and len(best.float_layers) - failed > 1:
        middle = (failed + len(best.float_layers)) // 2
        trial = attempt(setting, layers[:middle])
        failed, best = (failed, trial) if trial.verdict.passed else (middle, best)
    return best


def answers_of(net: Net, preprocess: Preprocess, pixels: np.ndarray) -> np.ndarray:
    """The network's logits in PyTorch, float32 [n, classes]."""
    with torch.inference_mode():
        said = [net(torch.from_numpy(preprocess.normalise(part))).numpy() for part in parts(pixels)]
    return np.concatenate(said)


def parts(pixels: np.ndarray) -> list[np.ndarray]:
    return [pixels[start : start + BATCH] for start in range(0, len(pixels), BATCH)]


def asker(preprocess: Preprocess, *, uint8: bool) -> Callable[[np.ndarray], np.ndarray]:
    """From pixels to what the runtime's file takes."""
    return (lambda pixels: pixels) if uint8 else preprocess.normalise
