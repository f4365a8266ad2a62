"""Where an epoch's order is cut into batches, and the size of each: a function of (seed, epoch), as the order is.

With one image size every batch is as large. With several (MobileViT's multi-scale sampler) each step draws a size, and
smaller images come in larger batches, so that all batches hold about as many pixels.
"""

from __future__ import annotations

import functools
from itertools import accumulate
from typing import NamedTuple

from .augment import random_numbers

SIZES = 2**63 - 2  # the "sample" whose random numbers draw an epoch's sizes; beside that of the order, see loader.ORDER


class Cut(NamedTuple):
    """One global batch: places `start` to `stop` of the epoch's order, as images of `image` pixels a side."""

    start: int
    stop: int
    image: int


@functools.lru_cache(maxsize=4)  # a run asks for the epoch that it is in at every step
def cuts(
    n: int, *, batch: int, image: int, sizes: tuple[int, ...] = (), seed: int = 0, epoch: int = 0
) -> tuple[Cut, ...]:
    """The epoch's batches of n photos. `batch` is the size at `image` pixels; without `sizes` all are that.

    A size's batch is `batch` * image^2 / size^2, rounded down. A batch larger than the split is cut to it. Every photo is
    in one batch at most: what is left at the end makes a batch if it is as large as `batch` or the size's own, and is
    dropped otherwise, so never more than batch - 1 photos are.
    Source: Mehta & Rastegari 2022, section 3.2 (multi-scale sampler).
    """
    if not sizes:
        size = min(batch, n)
        return tuple(Cut(start, start + size, image) for start in range(0, n - size + 1, size))
    rng, found, start = random_numbers(seed, epoch, SIZES), list[Cut](), 0
    while start < n:
        side = sizes[int(rng.integers(len(sizes)))]
        whole = sized_batch(batch, image, side)
        stop = min(start + whole, n)
        if stop - start < min(whole, batch, n):
            break
        found.append(Cut(start, stop, side))
        start = stop
    return tuple(found)


def sized_batch(batch: int, image: int, side: int) -> int:
    """So many images of `side` pixels have the pixels of `batch` images of `image`, rounded down; two at least."""
    return max(2, batch * image * image // (side * side))


@functools.lru_cache(maxsize=4)
def pixels_before(
    n: int, *, batch: int, image: int, sizes: tuple[int, ...] = (), seed: int = 0, epoch: int = 0
) -> tuple[int, ...]:
    """Pixels seen before each of the epoch's steps, and after the last: one number more than there are batches."""
    plan = cuts(n, batch=batch, image=image, sizes=sizes, seed=seed, epoch=epoch)
    return tuple(accumulate(((cut.stop - cut.start) * cut.image**2 for cut in plan), initial=0))


@functools.lru_cache(maxsize=4096)  # of all epochs, since the time left is reckoned from them
def pixels(n: int, *, batch: int, image: int, sizes: tuple[int, ...] = (), seed: int = 0, epoch: int = 0) -> int:
    """All pixels of the epoch's batches."""
    if not sizes:
        size = min(batch, n)
        return n // size * size * image**2
    return pixels_before(n, batch=batch, image=image, sizes=sizes, seed=seed, epoch=epoch)[-1]
