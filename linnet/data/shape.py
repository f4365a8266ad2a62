"""What the network sees of pictures of given sizes: which are enlarged, and how much of each the crop leaves."""

from __future__ import annotations

from collections.abc import Sequence

from .preprocess import Preprocess

Size = tuple[int, int]  # width and height in pixels, upright
LONG = 3.0  # a picture whose long side is more than this many times the short one is very wide or very tall


def enlarged(sizes: Sequence[Size], preprocess: Preprocess) -> list[int]:
    """Positions of pictures with a side that is brought to more pixels than it has: they look blurred to the network."""
    return [n for n, size in enumerate(sizes) if min(size) < preprocess.resize]


def seen_shares(sizes: Sequence[Size], preprocess: Preprocess) -> list[float]:
    """The share of each picture's area that the network sees: 1 when squashed, less where the middle is cut out."""
    if preprocess.mode == "squash":
        return [1.0] * len(sizes)
    shares = []
    for size in sizes:
        short = max(1, min(size))
        wide, high = (int(preprocess.resize * side / short) for side in size)  # in whole pixels, as Preprocess counts
        shares.append(min(1.0, preprocess.image**2 / max(1, wide * high)))
    return shares


def elongated(sizes: Sequence[Size]) -> list[int]:
    """Positions of very wide and very tall pictures, the longest first."""
    length = [max(size) / max(1, min(size)) for size in sizes]
    return sorted((n for n, ratio in enumerate(length) if ratio > LONG), key=lambda n: (-length[n], n))
