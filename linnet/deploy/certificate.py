"""The proof that comes with a bundle: one runtime's file against the network it was made from, on real photos."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..cores import available_cores
from ..data.loader import Bad, eval_batches
from ..data.preprocess import Preprocess
from ..data.source import Photo, packed_side
from ..errors import DataError, ProofError
from ..evaluation.intervals import Drop, paired_drop
from ..evaluation.label_metrics import SeveralMetrics, measure_several
from ..evaluation.metrics import Metrics, measure
from ..nn.net import Net
from .bench.peak import peak_memory
from .int8.gate import surely_above
from .outputs import are_probabilities, logits_of, probabilities
from .runtime.known import Run

BATCH = 32
PACKAGES = ("linnet-vision", "torch", "onnx", "onnxscript", "onnxruntime", "openvino", "litert-torch", "ai-edge-litert")
PACKAGES += ("executorch", "numpy", "pillow")
RowOutputs = Callable[[bytes, Sequence[str], np.ndarray], Mapping[str, np.ndarray]]


@dataclass(frozen=True)
class Tolerance:
    """What a runtime may differ by.

    logit_difference: the largest, as a share of the logits' spread: their standard deviation over photos and classes
    after each photo's mean and each class's mean are taken away. What all photos have in common, such as a bias, tells
    nothing about whether the network is still the same one. rounding: a difference below this share of the largest
    logit is none, however small the spread.
    agreement: the least share of photos with the same first answer; of several labels each, of answers of yes or no.
    None where a difference in logits alone says nothing.
    """

    logit_difference: float | None
    rounding: float | None
    agreement: float


# fp32: rounding gives 1e-6 to 1e-4 of the spread in networks of up to 300 layers, a real mistake 1e-2 and more. With
# fewer than a thousand photos an agreement of 99.9 % means every one.
# bf16 keeps 8 bits of each number: each product is off by up to 0.4 %, and a network multiplies many times.
TOLERANCES = {
    "fp32": Tolerance(logit_difference=1e-3, rounding=1e-5, agreement=0.999),
    "bf16": Tolerance(logit_difference=0.2, rounding=1e-2, agreement=0.98),
    # int8 rounds to 256 steps: logits move, and photos on the edge between two classes get the other. What counts is that
    # as many are right (see gate.py); less agreement than this is another network.
    "int8": Tolerance(logit_difference=None, rounding=None, agreement=0.8),
}


@dataclass(frozen=True)
class ProbabilityTolerance:
    """What a runtime that gives probabilities may differ by: the largest difference, as a share of the network's largest
    probability; `agreement` as in Tolerance."""

    probability_difference: float | None
    agreement: float


# A probability moves by no more than its own size times what logits move by, so these are those above.
OF_PROBABILITIES = {
    "fp32": ProbabilityTolerance(probability_difference=1e-3, agreement=0.999),
    "bf16": ProbabilityTolerance(probability_difference=0.2, agreement=0.98),
    "int8": ProbabilityTolerance(probability_difference=None, agreement=0.8),
}


@dataclass(frozen=True)
class Candidate:
    """A file that wants to be a runtime of the bundle, and the function that its runtime makes of it."""

    runtime: str
    precision: str
    model: bytes
    run: Run
    threads: int
    row_outputs: RowOutputs | None = None  # what comes out of each row inside, where the runtime can show it
    more: Mapping[str, bytes] = field(default_factory=dict)  # the files that belong to it, by name
    uint8: bool = False  # it takes pixels: the normalisation is inside
    output: str = "logits"  # what it gives, see outputs.py
    made: Mapping[str, Any] = field(
        default_factory=dict
    )  # what its certificate states beside, such as how int8 was made
    max_drop: float | None = None  # the share of photos that it may lose, if it passed a gate


@dataclass(frozen=True)
class Proof:
    """What a comparison found. `certificate` is what bundle.json states."""

    certificate: dict[str, Any]
    network: Metrics | SeveralMetrics  # of the network in PyTorch
    runtime: Metrics | SeveralMetrics
    drop: Drop
    names: tuple[str, ...]  # of the photos that were compared
    bad: tuple[Bad, ...]


def prove(
    net: Net,
    candidate: Candidate,
    photos: Sequence[Photo],
    preprocess: Preprocess,
    *,
    root: Path,
    split: str,
    workers: int = 2,
    progress: Callable[[int], None] | None = None,
) -> Proof:
    """Compare the candidate with `net` on every readable photo.

    Raises: ProofError when it is outside its tolerance, naming the rows that went wrong; DataError without photos.
    """
    said, answered, labels, kept, bad = [], [], [], [], []
    first = given = np.empty(0, np.float32)  # as the network and as the candidate take them
    net.eval()
    with torch.inference_mode():
        for batch in eval_batches(photos, preprocess, batch=BATCH, workers=workers if len(photos) > BATCH else 0):
            bad += batch.bad
            if len(batch.index):
                images = preprocess.normalise(batch.images.numpy())
                asked = batch.images.numpy() if candidate.uint8 else images
                first, given = (first, given) if len(first) else (images, asked)
                said.append(net(torch.from_numpy(images)).numpy())
                answered.append(candidate.run(asked))
                labels.append(batch.labels.numpy())
                kept += batch.index.tolist()
            if progress:
                progress(len(batch.index) + len(batch.bad))
    if not kept:
        raise DataError(
            f"{root}: none of the {len(photos)} {split} photos can be read, so nothing can be proven. Give others."
        )
    a, b, true = np.concatenate(said), np.concatenate(answered), np.concatenate(labels)
    several = true.ndim == 2
    found, tolerance = compared(a, b, candidate, several=several)
    if not found.within(tolerance):
        limit = TOLERANCES[candidate.precision].logit_difference
        worst = "" if limit is None else worst_rows(net, candidate, first[:4], given[:4], limit)
        allowed = "any" if limit is None else f"{found.allowed(tolerance):.3g}"
        raise ProofError(
            f"{candidate.runtime} {candidate.precision} does not answer as the network does, so it is not in the bundle:"
            f" {candidate.output} differ by up to {found.difference:.3g} where they spread by {found.spread:.3g} (allowed is"
            f" {allowed}), {int((~found.same).sum())} of {found.same.size}"
            f" {'labels' if true.ndim == 2 else 'photos'} get another{' first' * (true.ndim == 1)} answer."
            f" {worst}Please report this with the network's name."
        )
    chosen = [photos[i] for i in kept]
    names = tuple(name_in(photo.path, root) for photo in chosen)
    figures = measure_several if true.ndim == 2 else measure
    b = logits_of(b, candidate.output, several=several)
    network, other = figures(a, true), figures(b, true)
    drop = paired_drop(right(a, true), right(b, true))
    if candidate.max_drop is not None and surely_above(drop, candidate.max_drop):
        raise ProofError(
            f"{candidate.runtime} {candidate.precision} drops {drop} on the {split} photos, surely more than"
            f" {100 * candidate.max_drop:.2g} points, so it is not in the bundle. Allow more with --max-drop, or take"
            f" float32 or bf16."
        )
    took = latency(candidate.run, given[:1])
    files = [candidate.model, *candidate.more.values()]
    memory = peak_memory(candidate.runtime, candidate.precision, files, given[:1], threads=candidate.threads)
    more = {name: hashlib.sha256(data).hexdigest() for name, data in candidate.more.items()}
    certificate = {
        "runtime": candidate.runtime,
        "precision": candidate.precision,
        "passed": True,
        "sha256": hashlib.sha256(candidate.model).hexdigest(),
        **({"more": more} if more else {}),
        "size_bytes": len(candidate.model) + sum(map(len, candidate.more.values())),
        "images": {
            "split": split,
            "n": len(kept),
            "sha256": set_digest(chosen, names),  # of the originals
            **({"packed": side} if (side := packed_side(chosen)) else {}),  # what was read: resized to this short side
            "not_read": len(bad),
        },
        "n": len(kept),
        **differences(found, candidate.output),
        **agreement(found.same),
        "tolerance": asdict(tolerance),
        "accuracy": {"network": accuracy(network), "runtime": accuracy(other)},
        "drop": drop.to_json(),
        **candidate.made,
        "latency": {"batch": 1, "image": preprocess.image, "threads": candidate.threads, **took},
        **({"memory": memory.to_json()} if memory else {}),
        "machine": machine(),
        "versions": versions(),
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    return Proof(certificate, network, other, drop, names, tuple(bad))


@dataclass(frozen=True)
class Comparison:
    """How far a runtime's logits (or probabilities) are from the network's, both [n, classes]."""

    difference: float  # the largest
    spread: float
    largest: float  # the network's largest
    same: np.ndarray  # whether the first answer is the same, bool [n]; that of each of several labels, [n, classes]

    def allowed(self, tolerance: Tolerance | ProbabilityTolerance) -> float:
        if isinstance(tolerance, ProbabilityTolerance):
            limit = tolerance.probability_difference
            return float("inf") if limit is None else limit * self.largest
        if tolerance.logit_difference is None or tolerance.rounding is None:
            return float("inf")
        return max(tolerance.logit_difference * self.spread, tolerance.rounding * self.largest)

    def within(self, tolerance: Tolerance | ProbabilityTolerance) -> bool:
        return self.difference <= self.allowed(tolerance) and float(self.same.mean()) >= tolerance.agreement


def right(logits: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Which photos are wholly right, bool [n]: by their label [n], or by all of several, multi-hot [n, classes]."""
    return ((logits >= 0) == (true > 0)).all(1) if true.ndim == 2 else logits.argmax(1) == true


def agreement(same: np.ndarray) -> dict[str, float]:
    """What a certificate says of answers that are the same."""
    if same.ndim == 1:
        return {"top1_agreement": float(same.mean())}
    return {"label_agreement": float(same.mean()), "label_set_agreement": float(same.all(1).mean())}


def accuracy(metrics: Metrics | SeveralMetrics) -> dict[str, Any]:
    """What a certificate says of the share of photos that are right."""
    if isinstance(metrics, Metrics):
        return {"top1": metrics.top1, "interval": list(metrics.top1_interval)}
    ends = list(metrics.exact_match_interval)
    return {
        "exact_match": metrics.exact_match,
        "interval": ends,
        "mean_average_precision": metrics.mean_average_precision,
    }


def compared(
    a: np.ndarray, b: np.ndarray, candidate: Candidate, *, several: bool
) -> tuple[Comparison, Tolerance | ProbabilityTolerance]:
    """The network's logits `a` and the candidate's answers `b` to the same photos, and what these may differ by."""
    if candidate.output == "probabilities":
        found = compare_probabilities(probabilities(a, several=several), b, several=several)
        return found, OF_PROBABILITIES[candidate.precision]
    return compare(a, b, several=several), TOLERANCES[candidate.precision]


def compare(a: np.ndarray, b: np.ndarray, *, several: bool = False) -> Comparison:
    """Network's logits `a` and runtime's logits `b`; of `several` labels each logit is an answer by itself."""
    a = a.astype(np.float64)
    centred = a - a.mean(1, keepdims=True)
    if len(a) > 1:  # one photo has nothing in common with others
        centred -= centred.mean(0)
    spread, largest = float(np.sqrt((centred**2).mean())), float(np.abs(a).max())
    if a.shape != b.shape or not np.isfinite(b).all():
        return Comparison(float("inf"), spread, largest, np.zeros(a.shape if several else len(a), bool))
    same = (a >= 0) == (b >= 0) if several else a.argmax(1) == b.argmax(1)
    return Comparison(float(np.abs(a - b).max()), spread, largest, same)


def compare_probabilities(a: np.ndarray, b: np.ndarray, *, several: bool = False) -> Comparison:
    """`compare` for the network's probabilities and a runtime's; what are none differ as far as can be."""
    found = compare(a, b, several=several)
    if not np.isfinite(found.difference) or not are_probabilities(b, several=several):
        return replace(found, difference=float("inf"), same=np.zeros_like(found.same))
    return replace(found, same=(a >= 0.5) == (b >= 0.5)) if several else found


def differences(found: Comparison, output: str) -> dict[str, Any]:
    """What a certificate says of how far answers are off."""
    if output == "probabilities":
        return {"output": output, "largest_probability_difference": found.difference}
    return {"largest_logit_difference": found.difference, "logit_spread": found.spread}


def worst_rows(net: Net, candidate: Candidate, images: np.ndarray, given: np.ndarray, allowed: float) -> str:
    """A sentence: the first row of the table whose output is off, and the row that is furthest off.

    `images` are as the network takes them, `given` the same as the candidate does.
    """
    if candidate.row_outputs is None:
        return ""
    try:
        inside = candidate.row_outputs(candidate.model, net.arch.row_names, given)
    except Exception:  # a broken model may not even run so; the error that matters is being raised already
        return ""
    seen: dict[str, np.ndarray] = {}

    def keep(row: str) -> Callable[..., None]:
        return lambda _module, _input, output: seen.__setitem__(row, output.numpy())

    hooks = [net.get_submodule(row).register_forward_hook(keep(row)) for row in inside]
    try:
        with torch.inference_mode():
            net(torch.from_numpy(images))
    finally:
        for hook in hooks:
            hook.remove()
    off = {
        row: float(np.abs(seen[row] - inside[row]).max() / (np.sqrt((seen[row] ** 2).mean()) or 1.0))
        for row in net.arch.row_names
        if row in inside and seen[row].shape == inside[row].shape
    }
    wrong = [row for row, share in off.items() if not share <= allowed]
    if not wrong:
        return ""
    worst = max(wrong, key=lambda row: off[row])
    return f"It goes wrong first in row {wrong[0]} (by {off[wrong[0]]:.2g}); worst is {worst} (by {off[worst]:.2g}). "


def latency(run: Run, image: np.ndarray, *, seconds: float = 2.0, least: int = 30, most: int = 500) -> dict[str, Any]:
    """Percentiles in milliseconds of single calls with one image, after a warm-up of a fifth of the time."""

    def calls(until: float, at_least: int, at_most: int) -> list[float]:
        took: list[float] = []
        began = time.perf_counter()
        while len(took) < at_least or (len(took) < at_most and time.perf_counter() - began < until):
            start = time.perf_counter()
            run(image)
            took.append(1000 * (time.perf_counter() - start))
        return took

    calls(seconds / 5, 5, most)
    took = calls(seconds, least, most)
    names = {"p10_ms": 10, "median_ms": 50, "p90_ms": 90, "p99_ms": 99}
    return {**{name: round(float(np.percentile(took, q)), 3) for name, q in names.items()}, "calls": len(took)}


def name_in(path: Path, root: Path) -> str:
    """Relative to the photos' folder: where that lies on somebody's disk is nobody's business."""
    from ..data.image import shown_name

    return shown_name(path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name)


def set_digest(photos: Sequence[Photo], names: Sequence[str]) -> str:
    """SHA-256 over the lines "digest  name" in the order of the names, as `sha256sum` would list the files."""
    lines = sorted(f"{name}\0{photo.digest}" for photo, name in zip(photos, names, strict=True))
    text = "".join(f"{line.partition(chr(0))[2]}  {line.partition(chr(0))[0]}\n" for line in lines)
    return hashlib.sha256(text.encode()).hexdigest()


def machine() -> dict[str, Any]:
    return {
        "processor": processor(),
        "cores": os.cpu_count() or 1,
        "cores_usable": available_cores(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
    }


def processor() -> str:
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # such as a checkout that was not installed
            continue
    return found
