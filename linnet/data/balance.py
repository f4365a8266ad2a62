"""How evenly the photos are spread over the classes, and what a class gives away besides what it shows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MARKED = 0.9  # of a class's photos have a mark, and at most 1 - MARKED of the others: it gives the class away
FEW = 10  # photos; of fewer nothing is said


@dataclass(frozen=True)
class Balance:
    """Photos per class of one split, compared.

    `ratio`: photos of the largest class for one of the smallest. `effective_classes`: as many classes of equal size would
    be as hard to guess (the exponential of the entropy). `largest_share`: the accuracy of always naming the largest.
    """

    largest: str
    smallest: str
    ratio: float
    effective_classes: float
    largest_share: float


def balance(counts: Mapping[str, int]) -> Balance | None:
    """None where there are no photos."""
    total = sum(counts.values())
    if not total:
        return None
    largest, smallest = max(counts, key=lambda name: counts[name]), min(counts, key=lambda name: counts[name])
    entropy = -sum(n / total * math.log(n / total) for n in counts.values() if n)
    ratio = counts[largest] / max(1, counts[smallest])
    return Balance(largest, smallest, round(ratio, 3), round(math.exp(entropy), 3), round(counts[largest] / total, 6))


def half_width(n: int) -> float:
    """Half of the widest 95 % interval of a share that is measured on n photos."""
    return 0.98 / math.sqrt(n) if n else 1.0


@dataclass(frozen=True)
class GiveAway:
    """A mark that nearly all photos of a class have and nearly no others: a network may learn it instead of the class."""

    label: str
    mark: str
    share: float  # of the class's photos that have it
    elsewhere: float  # of all other photos


def give_aways(
    labels: Sequence[Sequence[int]], marks: Mapping[str, Sequence[bool]], classes: Sequence[str]
) -> list[GiveAway]:
    """The marks that set a class apart, in the order of classes.

    Args:
        labels: for each photo its classes, as positions in `classes`.
        marks: name -> for each photo whether it has this mark.
    """
    found = []
    sizes = [0] * len(classes)
    for own in labels:
        for label in own:
            sizes[label] += 1
    for mark, has in marks.items():
        marked = [0] * len(classes)
        for own, is_marked in zip(labels, has, strict=True):
            for label in own if is_marked else ():
                marked[label] += 1
        total = sum(has)
        for label, name in enumerate(classes):
            inside, outside = sizes[label], len(labels) - sizes[label]
            if min(inside, outside) < FEW:
                continue
            share, elsewhere = marked[label] / inside, (total - marked[label]) / outside
            if share >= MARKED and elsewhere <= 1 - MARKED:
                found.append((label, GiveAway(name, mark, round(share, 4), round(elsewhere, 4))))
    return [one for _label, one in sorted(found, key=lambda pair: (pair[0], pair[1].mark))]
