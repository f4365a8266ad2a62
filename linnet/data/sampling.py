"""An epoch in which every class is seen equally often: a function of (seed, epoch), as the plain order is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .augment import random_numbers

BALANCED = 2**63 - 3  # the "sample" whose random numbers draw such an epoch; beside cuts.SIZES and loader.ORDER


def balanced_order(labels: Sequence[int], seed: int, epoch: int) -> np.ndarray:
    """The samples of a balanced epoch, int64 [n], as many as there are photos; `labels` are theirs.

    Each class that has photos gets n / classes places, or one more. A small class is gone through again and again, each
    time in a new order: its photo at place i is sample i, then n + i, 2 * n + i (see loader.repeated), so each time it
    is augmented differently. Of a large class each photo is seen once at most, in every epoch others.
    Source: Kang et al. 2020 (class-balanced sampling), drawn without the chance that independent draws leave.
    """
    n, rng, given = len(labels), random_numbers(seed, epoch, BALANCED), np.asarray(labels)
    classes = np.unique(given)
    whole, more = divmod(n, len(classes))
    lucky = set(rng.permutation(classes)[:more].tolist())
    drawn = []
    for label in classes.tolist():
        own, wanted = np.flatnonzero(given == label), whole + (label in lucky)
        turns = -(-wanted // len(own))
        drawn.append(np.concatenate([rng.permutation(own) + n * turn for turn in range(turns)])[:wanted])
    return rng.permutation(np.concatenate(drawn))
