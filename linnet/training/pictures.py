"""A batch as a person sees it: from the network's input back to pixels."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from ..data.preprocess import Preprocess

GAP = 2  # pixels between the pictures of a sheet


def as_pictures(images: Tensor, preprocess: Preprocess) -> np.ndarray:
    """What `normaliser` made, made undone: float [B, 3, H, W] on any device to uint8 [B, H, W, 3], RGB."""
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (preprocess.mean, preprocess.std))
    pixels = (images.detach().float().cpu() * std + mean).mul_(255).round_().clamp_(0, 255).to(torch.uint8)
    if preprocess.channels == "BGR":
        pixels = pixels.flip(1)
    return pixels.permute(0, 2, 3, 1).contiguous().numpy()


def sheet(pictures: np.ndarray) -> np.ndarray:
    """Pictures uint8 [B, H, W, 3] beside and below each other, as square as it goes: uint8 [height, width, 3]."""
    n, high, wide, _ = pictures.shape
    columns = math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    result = np.full((rows * (high + GAP) - GAP, columns * (wide + GAP) - GAP, 3), 255, np.uint8)
    for i, picture in enumerate(pictures):
        y, x = (i // columns) * (high + GAP), (i % columns) * (wide + GAP)
        result[y : y + high, x : x + wide] = picture
    return result
