"""Pictures that show next to nothing, and pictures without colour: seen on the thumbnails of the inspecting pass."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

DARK, WHITE = 24, 240  # of 255: nothing in the picture is brighter, or darker
FLAT = 10  # most by which the parts of a uniform picture differ
CHUNK = 1 << 14  # thumbnails looked at at once
COLOUR = 4  # channels that differ less, everywhere, are grey


class Tones(NamedTuple):
    """Positions of the pictures that are almost black, almost white, or of one colour all over; and of the grey ones."""

    black: tuple[int, ...] = ()
    white: tuple[int, ...] = ()
    uniform: tuple[int, ...] = ()
    grey: tuple[int, ...] = ()


def tones_of(thumbs: np.ndarray) -> Tones:
    """A picture is named once: as black, as white or as uniform; as grey besides.

    Args:
        thumbs: uint8 [n, side, side, 3], RGB; each pixel is the mean of a part of the picture.
    """
    found: tuple[list[int], ...] = ([], [], [], [])
    for start in range(0, len(thumbs), CHUNK):
        parts = thumbs[start : start + CHUNK].reshape(-1, thumbs[0].size // 3, 3)
        most, least = parts.max(1), parts.min(1)  # of each channel
        high, low = most.max(1), least.min(1)
        black, white = high <= DARK, low >= WHITE
        uniform = ((most - least).max(1) <= FLAT) & ~black & ~white
        grey = (parts.max(2) - parts.min(2)).max(1) < COLOUR
        for places, which in zip(found, (black, white, uniform, grey), strict=True):
            places += (start + np.flatnonzero(which)).tolist()
    return Tones(*map(tuple, found))
