"""AutoAugment and TrivialAugment: which operations a picture gets, and how strongly, drawn from published tables.

Unlike RandAugment's (augment.py), an operation here takes its amount in its own unit: degrees, pixels, bits, a factor.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

Policy = Literal["none", "autoaugment", "trivialaugment"]
GREY = (128, 128, 128)  # what moves into the picture when it is rotated, sheared or shifted; AutoAugment's code too
STRENGTHS = 31  # of TrivialAugment, 0 to 30


class Step(NamedTuple):
    """An operation of AutoAugment: how likely it is, and its strength from 0 to 10."""

    name: str
    probability: float
    strength: int


def augmented(pixels: np.ndarray, policy: Policy, interpolation: str, rng: np.random.Generator) -> np.ndarray:
    """The picture after the policy, uint8 [H, W, 3] in and out. `none` draws no number."""
    match policy:
        case "none":
            return pixels
        case "autoaugment":
            chosen = draw_autoaugment(max(pixels.shape), rng)
        case "trivialaugment":
            chosen = draw_trivialaugment(rng)
    if not chosen:
        return pixels
    resample = Image.Resampling.BICUBIC if interpolation == "bicubic" else Image.Resampling.BILINEAR
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    for name, amount in chosen:
        picture = transformed(picture, name, amount, resample)
    return np.asarray(picture)


def transformed(picture: Image.Image, name: str, amount: float, resample: Image.Resampling) -> Image.Image:
    """The picture after one operation. A shear is a slope, a shift is in pixels to the right or down, a rotation in
    degrees against the clock; 1 leaves brightness, colour, contrast and sharpness as they are; posterize keeps so many
    bits; solarize inverts values from `amount` on; solarize_add makes values below 128 that much brighter."""
    match name:
        case "shear_x":
            return moved(picture, (1, amount, 0, 0, 1, 0), resample)
        case "shear_y":
            return moved(picture, (1, 0, 0, amount, 1, 0), resample)
        case "translate_x":  # whole pixels: nothing to interpolate
            return moved(picture, (1, 0, -int(amount), 0, 1, 0), Image.Resampling.NEAREST)
        case "translate_y":
            return moved(picture, (1, 0, 0, 0, 1, -int(amount)), Image.Resampling.NEAREST)
        case "rotate":
            return picture.rotate(amount, resample, fillcolor=GREY)
        case "brightness":
            return ImageEnhance.Brightness(picture).enhance(amount)
        case "color":
            return ImageEnhance.Color(picture).enhance(amount)
        case "contrast":
            return ImageEnhance.Contrast(picture).enhance(amount)
        case "sharpness":
            return ImageEnhance.Sharpness(picture).enhance(amount)
        case "posterize":
            return ImageOps.posterize(picture, int(amount))
        case "solarize":
            return ImageOps.solarize(picture, amount)  # pyright: ignore[reportArgumentType]  (a fraction is taken as it is)
        case "solarize_add":
            return picture.point([min(255, x + int(amount)) if x < 128 else x for x in range(256)] * 3)
        case "autocontrast":
            return ImageOps.autocontrast(picture)
        case "equalize":
            return ImageOps.equalize(picture)
        case "invert":
            return ImageOps.invert(picture)
        case _:
            raise ValueError(name)


def moved(picture: Image.Image, matrix: tuple[float, ...], resample: Image.Resampling) -> Image.Image:
    """`matrix` (a, b, c, d, e, f): the result's pixel (x, y) comes from (ax + by + c, dx + ey + f)."""
    return picture.transform(picture.size, Image.Transform.AFFINE, matrix, resample, fillcolor=GREY)


# -- AutoAugment ---------------------------------------------------------------------------------------------------
# fmt: off
AUTOAUGMENT = (  # policy_v0 of tensorflow/tpu models/official/efficientnet/autoaugment.py
    (Step("equalize", 0.8, 1),  Step("shear_y", 0.8, 4)),
    (Step("color", 0.4, 9),     Step("equalize", 0.6, 3)),
    (Step("color", 0.4, 1),     Step("rotate", 0.6, 8)),
    (Step("solarize", 0.8, 3),  Step("equalize", 0.4, 7)),
    (Step("solarize", 0.4, 2),  Step("solarize", 0.6, 2)),
    (Step("color", 0.2, 0),     Step("equalize", 0.8, 8)),
    (Step("equalize", 0.4, 8),  Step("solarize_add", 0.8, 3)),
    (Step("shear_x", 0.2, 9),   Step("rotate", 0.6, 8)),
    (Step("color", 0.6, 1),     Step("equalize", 1.0, 2)),
    (Step("invert", 0.4, 9),    Step("rotate", 0.6, 0)),
    (Step("equalize", 1.0, 9),  Step("shear_y", 0.6, 3)),
    (Step("color", 0.4, 7),     Step("equalize", 0.6, 0)),
    (Step("posterize", 0.4, 6), Step("autocontrast", 0.4, 7)),
    (Step("solarize", 0.6, 8),  Step("color", 0.6, 9)),
    (Step("solarize", 0.2, 4),  Step("rotate", 0.8, 9)),
    (Step("rotate", 1.0, 7),    Step("translate_y", 0.8, 9)),
    (Step("shear_x", 0.0, 0),   Step("solarize", 0.8, 4)),
    (Step("shear_y", 0.8, 0),   Step("color", 0.6, 4)),
    (Step("color", 1.0, 0),     Step("rotate", 0.6, 2)),
    (Step("equalize", 0.8, 4),  Step("equalize", 0.0, 8)),
    (Step("equalize", 1.0, 4),  Step("autocontrast", 0.6, 2)),
    (Step("shear_y", 0.4, 7),   Step("solarize_add", 0.6, 7)),
    (Step("posterize", 0.8, 2), Step("solarize", 0.6, 10)),
    (Step("solarize", 0.6, 8),  Step("equalize", 0.6, 1)),
    (Step("color", 0.8, 6),     Step("rotate", 0.4, 5)),
)
# fmt: on


def draw_autoaugment(image: int, rng: np.random.Generator) -> list[tuple[str, float]]:
    """One of the 25 sub-policies, its steps as (operation, amount) where the dice want them; `image`: side in pixels.

    Source: Cubuk et al. 2018, in the form "v0" that EfficientNet was trained with. Where that code would leave a picture
    of one colour ours does not: its shifts are up to 45 % of the picture (timm's choice) where v0 has up to 250 pixels
    whatever the size, and it keeps at least one bit.
    """
    chosen: list[tuple[str, float]] = []
    for step in AUTOAUGMENT[int(rng.random() * len(AUTOAUGMENT))]:
        wanted, sign = rng.random() < step.probability, 1 if rng.random() < 0.5 else -1
        if wanted:
            chosen.append((step.name, autoaugment_amount(step.name, step.strength, sign, image)))
    return chosen


def autoaugment_amount(name: str, strength: int, sign: int, image: int) -> float:
    """What a strength from 0 to 10 means to the operation; `sign` (1 or -1) is the side for those that have two."""
    level = strength / 10
    match name:
        case "rotate":
            return sign * 30 * level
        case "shear_x" | "shear_y":
            return sign * 0.3 * level
        case "translate_x" | "translate_y":
            return sign * 0.45 * level * image
        case "posterize":
            return max(1, int(level * 4))
        case "solarize":
            return int(level * 256)
        case "solarize_add":
            return int(level * 110)
        case "brightness" | "color" | "contrast" | "sharpness":
            return 0.1 + 1.8 * level
        case _:
            return 0


# -- TrivialAugment ------------------------------------------------------------------------------------------------
TRIVIALAUGMENT = (
    "identity", "shear_x", "shear_y", "translate_x", "translate_y", "rotate", "brightness", "color", "contrast",
    "sharpness", "posterize", "solarize", "autocontrast", "equalize",
)  # fmt: skip


def draw_trivialaugment(rng: np.random.Generator) -> list[tuple[str, float]]:
    """One operation at one of 31 strengths, all equally likely, as (operation, amount); nothing for the identity.

    Source: Mueller & Hutter 2021, the wide space (Table 1) as torchvision's TrivialAugmentWide has it, but that what
    moves into the picture is grey.
    """
    name = TRIVIALAUGMENT[int(rng.random() * len(TRIVIALAUGMENT))]
    strength, sign = int(rng.random() * STRENGTHS), 1 if rng.random() < 0.5 else -1
    return [] if name == "identity" else [(name, trivialaugment_amount(name, strength, sign))]


def trivialaugment_amount(name: str, strength: int, sign: int) -> float:
    """What a strength from 0 to 30 means to the operation; shifts are up to 32 pixels whatever the picture's size."""
    level = strength / (STRENGTHS - 1)
    match name:
        case "rotate":
            return sign * 135 * level
        case "shear_x" | "shear_y":
            return sign * 0.99 * level
        case "translate_x" | "translate_y":
            return sign * 32 * level
        case "posterize":
            return 8 - round(6 * level)
        case "solarize":
            return 255 * (1 - level)
        case "brightness" | "color" | "contrast" | "sharpness":
            return 1 + sign * 0.99 * level
        case _:
            return 0
