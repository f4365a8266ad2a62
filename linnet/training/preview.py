"""What a training would see, before there is one: the first batch of each phase, as the loop would make it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from ..arch.names import find
from ..arch.spec import Arch
from ..data.cuts import cuts
from ..data.loader import Bad
from ..data.mix import mix, smooth_targets, step_numbers
from ..data.preprocess import Preprocess
from ..data.source import Photo, Photos
from .batches import batches_of
from .pictures import as_pictures
from .prepare import find_weights, normaliser
from .recipe import Phase, Recipe


@dataclass(frozen=True, eq=False)
class PhaseView:
    """The beginning of a phase. Epochs count from 1.

    `pictures` uint8 [k, S, S, 3] are the first of the batch as the network gets them, cropped, altered and mixed;
    `photos` are those they come from, `targets` float32 [k, classes] what is to be learnt from them.
    """

    phase: Phase
    epochs: tuple[int, int]
    batch: int
    pictures: np.ndarray
    photos: tuple[Photo, ...]
    targets: np.ndarray
    bad: tuple[Bad, ...]


def preprocess_of(recipe: Recipe) -> Preprocess:
    """The preprocessing that a run of this recipe would have; no weights are fetched for it."""
    from ..weights.pretrained import is_path, pretrained

    found = Preprocess()
    if recipe.pretrained and is_path(recipe.pretrained):
        arch = find(recipe.arch) if isinstance(recipe.arch, str) else Arch.from_json(recipe.arch)
        found = find_weights(recipe.pretrained, arch).preprocess
    elif recipe.pretrained and (weights := pretrained(recipe.pretrained)):
        found = weights.preprocess
    found = Preprocess.from_json({**found.to_json(), **(recipe.preprocess or {})})
    return found.at(recipe.eval_image or recipe.phases[-1].image)


def first_batches(recipe: Recipe, photos: Photos, *, most: int = 12) -> Iterator[PhaseView]:
    """The first `most` pictures of each phase's first batch, with the random numbers that the run would draw.

    Raises: DataError for an empty split.
    """
    preprocess, total, epoch = preprocess_of(recipe), 0, 0
    normalise = normaliser(preprocess, torch.device("cpu"), "contiguous")
    for phase in recipe.phases:
        batch = next(iter(batches_of(recipe, photos, preprocess, epoch=epoch)))
        n = len(batch.labels)
        # Each picture is mixed with the one before it, the first with the last: no others are needed.
        places = [n - 1, *range(min(most, n))]
        targets = smooth_targets(batch.labels[places], len(photos.classes), recipe.label_smoothing)
        rng = step_numbers(recipe.seed, total)
        images, targets = mix(normalise(batch.images[places]), targets, mixup=phase.mixup, cutmix=phase.cutmix, rng=rng)
        yield PhaseView(
            phase=phase,
            epochs=(epoch + 1, epoch + phase.epochs),
            batch=n,
            pictures=as_pictures(images[1:], preprocess),
            photos=tuple(photos.train[i] for i in batch.index[places[1:]].tolist()),
            targets=targets[1:].numpy(),
            bad=batch.bad,
        )
        for _ in range(phase.epochs):
            plan = {"batch": phase.batch, "image": phase.image, "sizes": phase.sizes, "seed": recipe.seed}
            total += len(cuts(len(photos.train), **plan, epoch=epoch))
            epoch += 1
