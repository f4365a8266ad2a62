"""Mixup and cutmix of a whole batch, with soft targets. Draws come from (seed, step), never from a stream."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor


def step_numbers(seed: int, step: int) -> np.random.Generator:
    """The random numbers of one training step. `step` lies where `augment.random_numbers` has nothing but zero."""
    return np.random.Generator(np.random.Philox(key=seed % 2**64, counter=(step + 1) << 192))


def mix(
    images: Tensor, targets: Tensor, *, mixup: float, cutmix: float, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Blend (mixup) or patch (cutmix) each picture with its neighbour in the batch.

    images float [B, 3, H, W] on any device, targets float32 [B, any] (`smooth_targets`); gives new ones of both, mixed
    in the same share. `mixup` and `cutmix` are the alpha of Beta(alpha, alpha); 0 = off. With both on, the batch gets
    one of them with probability 1/2 each (timm's and DeiT's way; EfficientNetV2's code mixes each half of a batch
    differently).

    The neighbour is the one before (the batch is shuffled already), so a picture never meets itself.

    Source: Zhang et al. 2017 (mixup), Yun et al. 2019 (cutmix).
    """
    coin = rng.random()
    patches = cutmix > 0 and (mixup <= 0 or coin < 0.5)
    alpha = cutmix if patches else mixup
    if alpha <= 0 or len(images) < 2:
        return images, targets
    share = float(rng.beta(alpha, alpha))
    others = images.roll(1, 0)
    if patches:
        height, width = images.shape[-2:]
        top, bottom, left, right = draw_patch(height, width, 1 - share, rng)
        mixed = images.clone()
        mixed[..., top:bottom, left:right] = others[..., top:bottom, left:right]
        share = 1 - (bottom - top) * (right - left) / (height * width)  # what was cut at the border does not count
    else:
        mixed = others.lerp_(images, share)
    return mixed, targets.roll(1, 0).lerp_(targets, share)


def smooth_targets(labels: Tensor, classes: int, smoothing: float) -> Tensor:
    """float32 [B, classes]: 1 - smoothing for the label, and `smoothing` shared evenly by all classes.

    Of multi-hot labels [B, classes], each is a question of yes and no by itself: 1 - smoothing / 2, and smoothing / 2.
    """
    import torch

    if labels.ndim == 2:
        return labels.float() * (1 - smoothing) + smoothing / 2
    targets = torch.full((len(labels), classes), smoothing / classes, device=labels.device)
    return targets.scatter_(1, labels.unsqueeze(1), 1 - smoothing + smoothing / classes)


def draw_patch(height: int, width: int, area: float, rng: np.random.Generator) -> tuple[int, int, int, int]:
    """(top, bottom, left, right) of a patch of the picture's shape and share `area`, around any point of it."""
    h, w = height * math.sqrt(area), width * math.sqrt(area)
    y, x = height * rng.random(), width * rng.random()
    return (
        max(0, round(y - h / 2)),
        min(height, round(y + h / 2)),
        max(0, round(x - w / 2)),
        min(width, round(x + w / 2)),
    )
