"""Cutout: a grey square somewhere on the picture, so that no one part of it can be relied on."""

from __future__ import annotations

import numpy as np

GREY = 128


def cut_out(pixels: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """A copy with a grey square whose side is `share` of the picture's; uint8 [H, W, 3] in and out. 0 draws no number.

    Its middle may be any pixel, so that it may lie partly outside, without which it works less well.
    Source: DeVries & Taylor 2017, section 3.2.
    """
    if share == 0:
        return pixels
    height, width = pixels.shape[:2]
    side = max(1, round(share * max(height, width)))
    top, left = int(height * rng.random()) - side // 2, int(width * rng.random()) - side // 2
    result = pixels.copy()
    result[max(0, top) : max(0, top + side), max(0, left) : max(0, left + side)] = GREY
    return result
