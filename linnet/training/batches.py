"""Which pictures a step gets: batches as a function of the recipe, the photos and the place in the run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..data.augment import Augment
from ..data.jitter import Jitter
from ..data.loader import Batch, train_batches
from ..data.preprocess import Preprocess
from ..data.source import Photos
from .distributed import ALONE, Place
from .recipe import Phase, Recipe

if TYPE_CHECKING:
    from .prepare import Run


def augmentation(recipe: Recipe, phase: Phase, preprocess: Preprocess) -> Augment:
    """What happens to each picture of this phase on its way in."""
    return Augment(
        image=phase.image,
        randaugment=phase.randaugment,
        layers=recipe.randaugment_layers,
        crop_area=recipe.crop_area,
        flip=recipe.flip,
        policy=recipe.policy,
        jitter=Jitter.of(recipe.color_jitter),
        erasing=phase.erasing,
        cutout=recipe.cutout,
        interpolation=preprocess.interpolation,
        upright=preprocess.upright,
    )


def batches_of(
    recipe: Recipe,
    photos: Photos,
    preprocess: Preprocess,
    *,
    epoch: int,
    first: int = 0,
    workers: int = 0,
    place: Place = ALONE,
) -> Iterator[Batch]:
    """The batches of an epoch (from 0) from batch `first` on; no run is needed to look at them.

    With several processes each gets its share of every batch, in whole groups of BatchNorm where the recipe has them.
    """
    phase = recipe.phase_of(epoch)[1]
    augment = augmentation(recipe, phase, preprocess)
    return train_batches(
        photos.train,
        augment,
        seed=recipe.seed,
        epoch=epoch,
        batch=phase.batch,
        sizes=phase.sizes,
        repeats=recipe.repeats,
        sampling=recipe.sampling,
        first=first,
        workers=workers,
        rank=place.rank,
        world=place.world,
        unit=recipe.bn_group or 1,
    )


def epoch_batches(r: Run) -> Iterator[Batch]:
    """The epoch's batches from where the run stands, whatever the number of workers."""
    recipe, at = r.recipe, r.position
    assert recipe.workers != "auto"
    return batches_of(
        recipe, r.photos, r.preprocess, epoch=at.epoch, first=at.step, workers=recipe.workers, place=r.place
    )
