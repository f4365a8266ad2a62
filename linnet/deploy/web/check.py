"""What a page checks itself with: a picture drawn by a rule, and what the proven model says of it."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from ..classifier import Classifier

WIDE, HIGH = 640, 480
# What logits in a browser may be off by, as a share of their spread, and probabilities of the largest; rounding is 1e-6, one wrong kernel is far above.
ALLOWED = 1e-3


def check_picture(wide: int = WIDE, high: int = HIGH) -> Image.Image:
    """Edges, slopes and fine grain in every place. page/check.js draws the same."""
    y, x, channel = np.mgrid[0:high, 0:wide, 0:3]
    return Image.fromarray(((x * (channel + 2) + y * (5 - channel) + (x * y) % 97) % 256).astype(np.uint8))


def pixel_sum(pixels: np.ndarray) -> int:
    """One number for uint8 [H, W, 3] in which every pixel and its place counts."""
    values = pixels.reshape(-1).astype(np.int64)
    return int((values * (np.arange(len(values)) % 251 + 1)).sum() % 2**31)


def check_facts(classifier: Classifier) -> dict[str, Any]:
    """The check picture's size, its prepared pixels as a sum, and what the file gives for them: logits or probabilities."""
    pixels = classifier.preprocess.pixels(check_picture())
    answers = classifier.answers(pixels[None])[0]
    return {
        "width": WIDE,
        "height": HIGH,
        "pixels": pixel_sum(pixels),
        "answers": [float(value) for value in answers],
        "allowed": ALLOWED,
    }
