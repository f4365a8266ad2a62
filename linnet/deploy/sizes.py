"""The image size of a bundle's files: fixed to that of the run, or dynamic, then proven on pictures of several sizes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from ..arch.spec import Arch
from ..data.loader import eval_batches
from ..data.preprocess import Preprocess
from ..data.source import Photo
from ..errors import ProofError, SettingError
from ..nn.net import Net
from .certificate import Candidate, Proof, agreement, compared, differences
from .runtime.known import find_way

SIZES = ("fixed", "dynamic")
OPEN = ("onnx", "openvino")  # the runtimes whose files can leave the size open
PHOTOS = 16  # that are compared at each size; the run's own size has its proof on all of them

Sides = tuple[int, int]  # the least and the largest height or width, in pixels


def sides_around(arch: Arch, image: int) -> Sides:
    """From half to double the side that a network was trained for: beyond, its answers are hardly worth having.

    Not so small that the last map has fewer than 3 pixels a side: one pixel is a case of its own for torch.export.
    """
    reduction = max(reduction for _, _, reduction in arch.features(image))
    return min(image, max(-(-image // 2), 2 * reduction + 1)), 2 * image


def proof_sizes(sides: Sides) -> tuple[Sides, ...]:
    """(height, width) in pixels of the pictures that a dynamic size is proven on.

    Both ends, and sides that divide by nothing: TensorFlow's padding is another at each remainder.
    """
    least, largest = sides
    own = largest // 2
    ends, odd = ((least, least), (largest, largest)), ((own + 1, own - 2), (own - 1, least + 1), (largest - 1, own + 5))
    return tuple(dict.fromkeys((max(h, least), max(w, least)) for h, w in (*ends, (least, own), *odd)))


def dynamic_ways(to: Sequence[str]) -> tuple[str, ...]:
    """Those of the ways `to` run a model whose files can leave the size open."""
    ways = {name: find_way(name) for name in to}
    return tuple(name for name, (known, precision) in ways.items() if known.name in OPEN and precision != "int8")


def check_dynamic(net: Net, to: Sequence[str]) -> None:
    """Raises: SettingError for a runtime or a network that has one image size."""
    if fixed := [name for name in to if name not in dynamic_ways(to)]:
        raise SettingError(
            f"{fixed[0]} has one image size: phones' files and machine code are planned for it, int8's ranges are measured"
            f" at it. Leave out --image dynamic, or {fixed[0]}."
        )
    if any(hasattr(m, "set_size") for m in net.modules()):
        raise SettingError(
            f"{net.arch.name} has positions or windows for one image size. Leave out --image dynamic, or take a"
            " network of convolutions."
        )


def with_sizes(
    proof: Proof, net: Net, candidate: Candidate, photos: Sequence[Photo], preprocess: Preprocess, sides: Sides
) -> Proof:
    """A proof at the run's own size, and beside it in its certificate what was found at others.

    Of the photos that it could read some are taken, each brought to a square as always, of which the upper left part is used.
    Raises: ProofError, naming the first size at which the candidate does not answer as `net` does.
    """
    unread = {one.path for one in proof.bad}
    few = [photo for photo in photos if os.fspath(photo.path) not in unread]
    few = few[:: -(-len(few) // PHOTOS)]
    stated = []
    for height, width in proof_sizes(sides):
        square = next(iter(eval_batches(few, preprocess.at(max(height, width)), batch=PHOTOS, workers=0)))
        pixels = np.ascontiguousarray(square.images.numpy()[:, :height, :width])
        images = preprocess.normalise(pixels)
        with torch.inference_mode():
            said = net.eval()(torch.from_numpy(images)).numpy()
        asked = pixels if candidate.uint8 else images
        answered = [candidate.run(part) for part in (asked[:1], asked[1:]) if len(part)]  # one alone, and several
        found, tolerance = compared(said, np.concatenate(answered), candidate, several=square.labels.ndim == 2)
        if not found.difference <= found.allowed(tolerance):
            raise ProofError(
                f"{candidate.runtime} {candidate.precision} does not answer as the network does at {height} x {width} pixels,"
                f" so it is not in the bundle: {candidate.output} differ by up to {found.difference:.3g} (allowed is"
                f" {found.allowed(tolerance):.3g}). Leave out --image dynamic, or this runtime."
            )
        stated.append({"height": height, "width": width, "n": len(pixels), **differences(found, candidate.output), **agreement(found.same)})  # fmt: skip
    return replace(proof, certificate={**proof.certificate, "sides": list(sides), "sizes": stated})
