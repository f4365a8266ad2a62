"""A recipe together with what its source says of it."""

from __future__ import annotations

from dataclasses import dataclass

from ..training.recipe import Recipe

PHOTOS = 1_281_167  # of ImageNet-1k to train on
IMAGENET = "ImageNet-1k"


@dataclass(frozen=True)
class Published:
    """`top1` is in per cent on ImageNet's validation photos as the source prints it, and not reproduced here; none: the
    source gives no figure for exactly this. `needs` says which photos, and the hardware and time that were used."""

    recipe: Recipe
    source: str
    top1: float | None = None
    needs: str = IMAGENET


def in_epochs(steps: int, batch: int) -> float:
    """A number of steps on ImageNet-1k, where papers count steps, in epochs."""
    return steps / (PHOTOS // batch)
