"""From a picture to the numbers a network sees: one value, used by training, evaluation, export and serving.

The only place where preprocessing is written; the text of this file is copied into every bundle's `predict.py`. Hence
standard library, numpy and Pillow only.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from PIL import Image

from ..errors import SettingError
from .image import TRAINING, Limits, Source, open_image

FILTERS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}
CHOICES = {"mode": ("crop", "squash"), "interpolation": tuple(FILTERS), "channels": ("RGB", "BGR")}


@dataclass(frozen=True)
class Preprocess:
    """How a picture becomes the network's input.

    "crop": the short side is brought to floor(image / crop) pixels and the middle square of `image` is kept.
    "squash": the whole picture is brought to image x image; `crop` is not used.
    `mean` and `std` are in units of 0..1 and in the order of `channels`; `pixels` are always RGB.
    """

    image: int = 224
    crop: float = 0.875
    mode: Literal["crop", "squash"] = "crop"
    interpolation: Literal["bicubic", "bilinear"] = "bicubic"
    antialias: bool = True
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    channels: Literal["RGB", "BGR"] = "RGB"
    upright: bool = True

    def __post_init__(self) -> None:
        _demand(_is_int(self.image) and 1 <= self.image <= 16_384, "image", self.image, "a whole number, 1 to 16384")
        _demand(_is_number(self.crop) and 0 < self.crop <= 1, "crop", self.crop, "above 0, at most 1")
        for name, allowed in CHOICES.items():
            _demand(getattr(self, name) in allowed, name, getattr(self, name), " or ".join(map(repr, allowed)))
        for name in ("antialias", "upright"):
            _demand(isinstance(getattr(self, name), bool), name, getattr(self, name), "true or false")
        for name in ("mean", "std"):
            values = getattr(self, name)
            three = isinstance(values, tuple | list) and len(values) == 3 and all(map(_is_number, values))
            _demand(three and (name == "mean" or min(values) > 0), name, values, "three numbers, those of std above 0")
            object.__setattr__(self, name, tuple(map(float, values)))

    @property
    def resize(self) -> int:
        """Side in pixels that the short side is brought to before the square is cut out."""
        return math.floor(self.image / self.crop) if self.mode == "crop" else self.image

    def read(self, source: Source, limits: Limits = TRAINING) -> np.ndarray:
        """Open a file or its bytes and give its `pixels`. A large JPEG is decoded at a scale that is still enough.

        Raises:
            BadImage: the picture cannot be used.
        """
        return self.pixels(open_image(source, limits=limits, at_least=2 * self.resize, upright=self.upright))

    def pixels(self, picture: Image.Image) -> np.ndarray:
        """uint8 [image, image, 3], RGB."""
        box = self._box(*picture.size)
        side, kind = (self.image, self.image), FILTERS[self.interpolation]
        if self.antialias:
            square = picture.resize(side, kind, box=box)
        else:  # Pillow's resize always smooths when it shrinks; a transform only looks at the nearest pixels
            square = picture.transform(side, Image.Transform.EXTENT, box, kind)
        return np.array(square)

    def normalise(self, pixels: np.ndarray) -> np.ndarray:
        """(pixels / 255 - mean) / std: uint8 [..., H, W, 3] to float32 [..., 3, H, W], in the order of `channels`."""
        if self.channels == "BGR":
            pixels = pixels[..., ::-1]
        scale = np.array([1 / (255 * std) for std in self.std], np.float32)
        shift = np.array([mean / std for mean, std in zip(self.mean, self.std, strict=True)], np.float32)
        return np.ascontiguousarray(np.moveaxis(pixels * scale - shift, -1, -3))

    def at(self, image: int) -> Preprocess:
        """The same at another size."""
        return dataclasses.replace(self, image=image)

    def to_json(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Preprocess:
        """Raises SettingError for a key or a value that is not known."""
        allowed = [field.name for field in dataclasses.fields(cls)]
        if not isinstance(value, dict):
            raise SettingError(f"preprocess is {value!r}; expected an object with {', '.join(allowed)}.")
        unknown = sorted(set(value) - set(allowed))
        if unknown:
            raise SettingError(f"preprocess has no setting {unknown[0]!r}; allowed are {', '.join(allowed)}.")
        return cls(**value)

    def _box(self, wide: int, high: int) -> tuple[float, float, float, float]:
        """The part of the picture that becomes the square, in its own pixels.

        Whole pixels of the resized picture are counted, as torchvision's Resize and CenterCrop do, so that resizing this
        box is, up to rounding, resizing everything and cutting; it saves the work, and a 1 x 5000 picture stays small.
        """
        if self.mode == "squash":
            return (0, 0, wide, high)
        short = min(wide, high)
        new_wide, new_high = (int(self.resize * side / short) for side in (wide, high))
        left, top = (round((side - self.image) / 2) for side in (new_wide, new_high))
        x, y = wide / new_wide, high / new_high
        return (left * x, top * y, min((left + self.image) * x, wide), min((top + self.image) * y, high))


def _demand(fine: bool, name: str, given: object, allowed: str) -> None:
    if not fine:
        raise SettingError(f"preprocess.{name} is {given!r}; allowed: {allowed}.")


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
