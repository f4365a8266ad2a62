"""Colour jitter: brightness, contrast, saturation and hue of a picture, each by a factor of its own, in random order."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from PIL import Image, ImageEnhance


class Jitter(NamedTuple):
    """How far each goes: a factor from 1 - x (at least 0) to 1 + x; of hue a turn by up to x of the colour circle, 0.5
    being all of it. Zeros are off."""

    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0

    @staticmethod
    def of(setting: float | tuple[float, ...]) -> Jitter:
        """Of one strength for all but the hue, as timm reads it; or of three or four."""
        return Jitter(*setting) if isinstance(setting, tuple) else Jitter(setting, setting, setting)


def jittered(pixels: np.ndarray, jitter: Jitter, rng: np.random.Generator) -> np.ndarray:
    """A picture in other colours, uint8 [H, W, 3] in and out. With all at zero no number is drawn.

    Source: torchvision's ColorJitter (Krizhevsky et al. 2012 in spirit), with Pillow's arithmetic.
    """
    if not any(jitter):
        return pixels
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    for what in rng.permutation(len(jitter)):
        strength = jitter[what]
        amount = strength * (2 * rng.random() - 1)
        if strength > 0:
            picture = recoloured(picture, Jitter._fields[what], amount)
    return np.asarray(picture)


def recoloured(picture: Image.Image, what: str, amount: float) -> Image.Image:
    """By a factor of 1 + amount, at least 0; of hue, turned by `amount` of the circle."""
    factor = max(0.0, 1 + amount)
    match what:
        case "brightness":
            return ImageEnhance.Brightness(picture).enhance(factor)
        case "contrast":
            return ImageEnhance.Contrast(picture).enhance(factor)
        case "saturation":
            return ImageEnhance.Color(picture).enhance(factor)
        case _:
            hue, saturation, value = picture.convert("HSV").split()
            turn = int(amount * 255)
            hue = hue.point([(x + turn) % 256 for x in range(256)])
            return Image.merge("HSV", (hue, saturation, value)).convert("RGB")
