"""What photos with several labels each ask of a recipe."""

from __future__ import annotations

import dataclasses

from ..data.source import Photos
from ..errors import DataError, SettingError
from .recipe import Recipe


def with_loss(recipe: Recipe, photos: Photos) -> Recipe:
    """The recipe with the loss that its photos ask for where it is "auto": sigmoid of several labels each, else softmax.

    Raises: SettingError for a loss, a balance or a teacher that wants one label of each photo; DataError for validation photos without any.
    """
    if not photos.several:
        return dataclasses.replace(recipe, loss="softmax") if recipe.loss == "auto" else recipe
    of = f"recipe: {photos.root} says several labels of each photo"
    if recipe.loss == "softmax":
        raise SettingError(
            f'{of}, but loss is "softmax", which is for one. Give "sigmoid" or "focal", or leave it out.'
        )
    for name in ("class_weights", "sampling"):
        if getattr(recipe, name) == "balanced":
            raise SettingError(f'{of}, but {name} is "balanced", which is for one. Leave it out.')
    if recipe.teacher:
        raise SettingError(f"{of}, but a teacher answers with one. Leave teacher out.")
    if photos.validation and not any(photo.labels for photo in photos.validation):
        raise DataError(f"{photos.root}: no validation photo has a label, so no epoch could be chosen. Add some.")
    return dataclasses.replace(recipe, loss="sigmoid") if recipe.loss == "auto" else recipe
