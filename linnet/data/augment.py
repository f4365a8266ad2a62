"""Pictures for training: a random crop, flip, RandAugment and erasing, each drawn from (seed, epoch, index).

The order of work is what makes it fast. The crop is drawn from the size in the file's header, so that a JPEG is decoded
at the smallest scale (1/2, 1/4, 1/8) at which that crop still covers the target; only the crop is resized, once,
straight to the target; all that follows touches `image` x `image` pixels.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from ..errors import SettingError
from .cutout import cut_out
from .image import open_image
from .jitter import Jitter, jittered
from .policy import GREY, Policy, augmented, moved
from .shard import Packed

Box = tuple[int, int, int, int]
STILL = Jitter()
ERASED_AREA = (0.02, 1 / 3)
ERASED_RATIO = (0.3, 1 / 0.3)


def random_numbers(seed: int, epoch: int, index: int) -> np.random.Generator:
    """The random numbers of one sample in one epoch: the same in every worker, process and resumed run.

    Philox counts: (seed, epoch) is its key, `index` a high word of its counter, so no two samples share a number.
    """
    key = (seed % 2**64) | (epoch % 2**64) << 64
    return np.random.Generator(np.random.Philox(key=key, counter=index << 128))


@dataclass(frozen=True)
class Augment:
    """What happens to a picture on its way into training; `pixels` does it.

    image: side of the square result. randaugment: magnitude, 0 = off; 10 is the end of AutoAugment's scale (rotation
    by 30 degrees, shear 0.3, shift by 45 %), values above go on along the same lines, as EfficientNetV2's code does
    with up to 25. layers: RandAugment's N; each layer is applied with probability 1/2 (timm's choice; the released
    TensorFlow code draws that probability from 0.2 to 0.8). spread: standard deviation of the magnitude around its
    value (timm's mstd). policy: AutoAugment or TrivialAugment (policy.py). jitter: of the colours (jitter.py). erasing:
    the probability that a rectangle becomes noise. cutout: side of a grey square as a share of the picture's (cutout.py).

    Source: RandAugment, Cubuk et al. 2019; the operations and their scale as timm's `rand-m{M}-mstd0.5-inc1`.
    """

    image: int
    randaugment: float = 0.0
    layers: int = 2
    spread: float = 0.5
    crop_area: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    flip: float = 0.5
    policy: Policy = "none"
    jitter: Jitter = STILL
    erasing: float = 0.0
    cutout: float = 0.0
    interpolation: Literal["bicubic", "bilinear"] = "bicubic"
    upright: bool = True  # as `Preprocess.upright`: training sees pictures the way evaluation does

    def __post_init__(self) -> None:
        low, high = self.crop_area
        narrow, wide = self.ratio
        for right, name, allowed in (
            (self.image >= 1, "image", "1 or more"),
            (0 <= self.randaugment <= 100, "randaugment", "0 to 100 (0 = off)"),
            (self.layers >= 0, "layers", "0 or more"),
            (self.spread >= 0, "spread", "0 or more"),
            (0 < low <= high <= 1, "crop_area", "two fractions, 0 < low <= high <= 1"),
            (0 < narrow <= wide, "ratio", "two numbers, 0 < low <= high"),
            (0 <= self.flip <= 1, "flip", "a probability from 0 to 1"),
            (self.policy in get_args(Policy), "policy", "'none', 'autoaugment' or 'trivialaugment'"),
            (
                min(self.jitter) >= 0 and self.jitter.hue <= 0.5,
                "jitter",
                "strengths of 0 or more, of the hue up to 0.5",
            ),
            (0 <= self.erasing <= 1, "erasing", "a probability from 0 to 1"),
            (0 <= self.cutout < 1, "cutout", "a share of the side, 0 to below 1"),
            (self.interpolation in ("bicubic", "bilinear"), "interpolation", "'bicubic' or 'bilinear'"),
        ):
            if not right:
                raise SettingError(f"{name}={getattr(self, name)!r} is not allowed; give {allowed}.")

    def pixels(self, source: str | os.PathLike[str] | bytes | Packed, rng: np.random.Generator) -> np.ndarray:
        """One training picture, uint8 [image, image, 3]. Raises BadImage when the file cannot be used."""
        part = self.packed_crop(source, rng) if isinstance(source, Packed) else self.decoded_crop(source, rng)
        result = resized(part, self.image, self.image, self.interpolation, mirrored=rng.random() < self.flip)
        if self.randaugment > 0:
            result = rand_augment(result, self.randaugment, self.layers, self.spread, self.interpolation, rng)
        result = augmented(result, self.policy, self.interpolation, rng)
        result = jittered(result, self.jitter, rng)
        if rng.random() < self.erasing:
            result = erased(result, rng)
        result = cut_out(result, self.cutout, rng)
        return np.ascontiguousarray(result)

    def packed_crop(self, source: Packed, rng: np.random.Generator) -> np.ndarray:
        """A random crop of a picture that lies in memory as pixels; nothing outside of it is touched."""
        if source.jpeg:
            return self.decoded_crop(bytes(source.data()), rng)
        left, top, right, bottom = draw_crop(source.width, source.height, self.crop_area, self.ratio, rng)
        return source.pixels()[top:bottom, left:right]

    def decoded_crop(self, source: str | os.PathLike[str] | bytes, rng: np.random.Generator) -> np.ndarray:
        """A random crop of a file, decoded no larger than the target needs."""
        whole, crop = (1, 1), (0, 0, 1, 1)

        def least(width: int, height: int) -> tuple[int, int]:
            """Draw the crop once the header is read; the picture may be as small as still covers the target with it."""
            nonlocal whole, crop
            whole, crop = (width, height), draw_crop(width, height, self.crop_area, self.ratio, rng)
            shrink = min(1.0, max(self.image / (crop[2] - crop[0]), self.image / (crop[3] - crop[1])))
            return math.ceil(width * shrink), math.ceil(height * shrink)

        picture = open_image(source, at_least=least, upright=self.upright)
        x, y = picture.width / whole[0], picture.height / whole[1]
        box = scaled_box((crop[0] * x, crop[1] * y, crop[2] * x, crop[3] * y), picture.size)
        return np.asarray(picture.crop(box))


def draw_crop(
    width: int, height: int, area: tuple[float, float], ratio: tuple[float, float], rng: np.random.Generator
) -> Box:
    """A random (left, top, right, bottom) inside the picture: its share of the area and its ratio drawn from ranges.

    Ten tries, then the largest centred crop of an allowed ratio. Source: Szegedy et al. 2014, as torchvision has it.
    """
    lowest, highest = math.log(ratio[0]), math.log(ratio[1])
    for _ in range(10):
        target = width * height * (area[0] + (area[1] - area[0]) * rng.random())
        aspect = math.exp(lowest + (highest - lowest) * rng.random())
        w, h = round(math.sqrt(target * aspect)), round(math.sqrt(target / aspect))
        if 0 < w <= width and 0 < h <= height:
            left, top = int((width - w + 1) * rng.random()), int((height - h + 1) * rng.random())
            return left, top, left + w, top + h
    w = max(1, min(width, round(height * ratio[1])))
    h = max(1, min(height, round(width / ratio[0])))
    left, top = (width - w) // 2, (height - h) // 2
    return left, top, left + w, top + h


def scaled_box(box: tuple[float, float, float, float], size: tuple[int, int]) -> Box:
    """Whole pixels nearest to `box`, inside `size`, at least one pixel wide and high."""
    left, top = min(round(box[0]), size[0] - 1), min(round(box[1]), size[1] - 1)
    return left, top, max(left + 1, min(round(box[2]), size[0])), max(top + 1, min(round(box[3]), size[1]))


def resized(part: np.ndarray, width: int, height: int, interpolation: str, *, mirrored: bool = False) -> np.ndarray:
    """uint8 [H, W, 3] as uint8 [height, width, 3], antialiased, mirrored left to right if so wanted.

    torch's kernel for bytes gives Pillow's values (within 1) in a third of the time. Its arithmetic is in integers and
    a picture is worked on by one thread, so the result does not depend on how many there are.
    """
    import torch

    # The batch's dimension comes first: then torch knows the layout, and works on it and answers in it without copies.
    channels_first = torch.from_numpy(np.array(part)).unsqueeze(0).permute(0, 3, 1, 2)
    small = torch.nn.functional.interpolate(
        channels_first, (height, width), mode=interpolation, antialias=True, align_corners=False
    )
    upright = small[0].permute(1, 2, 0)
    return (upright.flip(1) if mirrored else upright).numpy()  # numpy would take 0.1 ms for it, a tenth of all


def rand_augment(
    pixels: np.ndarray, magnitude: float, layers: int, spread: float, interpolation: str, rng: np.random.Generator
) -> np.ndarray:
    """`layers` operations drawn from OPERATIONS, each applied with probability 1/2. uint8 [H, W, 3] in and out."""
    resample = Image.Resampling.BICUBIC if interpolation == "bicubic" else Image.Resampling.BILINEAR
    chosen = []
    for _ in range(layers):
        operation = OPERATIONS[int(rng.random() * len(OPERATIONS))]
        level = max(0.0, magnitude + spread * rng.standard_normal()) / 10
        sign = 1 if rng.random() < 0.5 else -1
        if rng.random() < 0.5:
            chosen.append((operation, level, sign))
    if not chosen:
        return pixels
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    for operation, level, sign in chosen:
        picture = operation(picture, level, sign, resample)
    return np.asarray(picture)


def erased(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A copy with one rectangle of random bytes. Source: Zhong et al. 2017 (RE-R), with timm's ranges."""
    height, width = pixels.shape[:2]
    (small, large), (narrow, wide) = ERASED_AREA, ERASED_RATIO
    for _ in range(10):
        area = height * width * (small + (large - small) * rng.random())
        ratio = math.exp(math.log(narrow) + (math.log(wide) - math.log(narrow)) * rng.random())
        h, w = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < h < height and 0 < w < width:
            top, left = int((height - h + 1) * rng.random()), int((width - w + 1) * rng.random())
            result = pixels.copy()
            result[top : top + h, left : left + w] = rng.integers(0, 256, (h, w, 3), dtype=np.uint8)
            return result
    return pixels


# RandAugment's operations. `level` is magnitude / 10; `sign` (1 or -1) is the side for those that have two.
Operation = Callable[[Image.Image, float, int, Image.Resampling], Image.Image]


def autocontrast(picture: Image.Image, level: float, sign: int, resample: Image.Resampling) -> Image.Image:
    return ImageOps.autocontrast(picture)


def equalize(picture: Image.Image, level: float, sign: int, resample: Image.Resampling) -> Image.Image:
    return ImageOps.equalize(picture)


def invert(picture: Image.Image, level: float, sign: int, resample: Image.Resampling) -> Image.Image:
    return ImageOps.invert(picture)


def posterize(picture: Image.Image, level: float, sign: int, resample: Image.Resampling) -> Image.Image:
    return ImageOps.posterize(picture, max(1, 4 - int(level * 4)))  # no bit left would be a black picture


def solarize(picture: Image.Image, level: float, sign: int, resample: Image.Resampling) -> Image.Image:
    return ImageOps.solarize(picture, max(0, 256 - int(level * 256)))


def solarize_add(picture: Image.Image, level: float, sign: int, resample: Image.Resampling) -> Image.Image:
    add = min(128, int(level * 110))
    return picture.point([min(255, x + add) if x < 128 else x for x in range(256)] * 3)


def enhance_factor(level: float, sign: int) -> float:
    """1 changes nothing; either side of it grows with the level, never below 0.1."""
    return max(0.1, 1 + sign * 0.9 * level)


def color(picture: Image.Image, level: float, sign: int, resample: Image.Resampling) -> Image.Image:
    return ImageEnhance.Color(picture).enhance(enhance_factor(level, sign))


def contrast(picture: Image.Image, level: float, sign: int, resample: Image.Resampling) -> Image.Image:
    return ImageEnhance.Contrast(picture).enhance(enhance_factor(level, sign))


def brightness(picture: Image.Image, level: float, sign: int, resample: Image.Resampling) -> Image.Image:
    return ImageEnhance.Brightness(picture).enhance(enhance_factor(level, sign))


def sharpness(picture: Image.Image, level: float, sign: int, resample: Image.Resampling) -> Image.Image:
    return ImageEnhance.Sharpness(picture).enhance(enhance_factor(level, sign))


def rotate(picture: Image.Image, level: float, sign: int, resample: Image.Resampling) -> Image.Image:
    return picture.rotate(sign * 30 * level, resample, fillcolor=GREY)


def shear_x(picture: Image.Image, level: float, sign: int, resample: Image.Resampling) -> Image.Image:
    return moved(picture, (1, sign * 0.3 * level, 0, 0, 1, 0), resample)


def shear_y(picture: Image.Image, level: float, sign: int, resample: Image.Resampling) -> Image.Image:
    return moved(picture, (1, 0, 0, sign * 0.3 * level, 1, 0), resample)


def translate_x(picture: Image.Image, level: float, sign: int, resample: Image.Resampling) -> Image.Image:
    shift = round(sign * 0.45 * level * picture.width)  # whole pixels: nothing to interpolate
    return moved(picture, (1, 0, shift, 0, 1, 0), Image.Resampling.NEAREST)


def translate_y(picture: Image.Image, level: float, sign: int, resample: Image.Resampling) -> Image.Image:
    shift = round(sign * 0.45 * level * picture.height)
    return moved(picture, (1, 0, 0, 0, 1, shift), Image.Resampling.NEAREST)


OPERATIONS: tuple[Operation, ...] = (
    autocontrast, equalize, invert, rotate, posterize, solarize, solarize_add, color, contrast, brightness, sharpness,
    shear_x, shear_y, translate_x, translate_y,
)  # fmt: skip
