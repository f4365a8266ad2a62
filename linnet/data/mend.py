"""Use what is there of a truncated photo: its first rows, where these are nearly all; nothing is filled in.

Only training ever asks for it, by `truncated="repair"` in the recipe. In validation and test a truncated photo stays bad,
so no figure is of repaired photos.
"""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from .image import READERS, TURNS, BadImage, image_kind, open_image, open_regular

LEAST = 0.9  # share of the rows that must be there
KINDS = ("JPEG", "PNG")  # Pillow reads these row after row, as the file goes; a WebP only as a whole


@dataclass(frozen=True)
class Part:
    """The first `rows` of a picture's `of` rows, as the file stores them. `data` is a whole PNG of these alone."""

    data: bytes
    rows: int
    of: int

    def __str__(self) -> str:
        return f"truncated: {self.rows:,} of its {self.of:,} rows are used"


@dataclass(frozen=True)
class Mended:
    """A truncated photo that is used all the same. The scan and the training read it here, so they see the same rows."""

    path: str

    def read(self) -> Part:
        """Decode the file as far as it goes. One that has become whole since is given as it is.

        Raises: BadImage where less than LEAST of the rows are there, and for all that is bad otherwise.
        """
        with open_regular(self.path) as file:
            data = file.read()
        try:
            high = open_image(data, at_least=1).height
        except BadImage as error:
            if error.reason != "truncated":
                raise
        else:
            return Part(data, high, high)
        kind = image_kind(data[:256]) or ""
        if kind not in KINDS:
            raise BadImage("truncated", f"the {kind} is truncated, and no part of a {kind} can be used; copy it again")
        try:
            return first_rows(data, kind)
        except BadImage:
            raise
        except Exception as error:  # decoders raise anything, see image._explained
            raise BadImage("damaged", f"the {kind} is truncated and damaged ({error})") from None


def first_rows(data: bytes, kind: str) -> Part:
    """The rows that are surely the picture's own.

    It is decoded twice, once over black and once over white. What the file does not reach keeps the colour that was there
    before, so the first row that differs is the first that is not whole.
    """
    over_black, over_white = decoded(data, kind, 0), decoded(data, kind, 255)
    differ = np.asarray(over_black) != np.asarray(over_white)
    differ = differ.reshape(len(differ), -1).any(axis=1)
    wide, high = over_black.size
    rows = int(differ.argmax()) if differ.any() else high
    if rows < LEAST * high:
        text = f"the {kind} is truncated: {rows:,} of {high:,} rows are there, {LEAST:.0%} are needed; copy it again"
        raise BadImage("truncated", text)
    part = over_black.crop((0, 0, wide, rows))
    part = part.convert("RGB") if part.mode == "CMYK" else part  # which a PNG does not hold
    file = io.BytesIO()
    part.save(file, "PNG", compress_level=1, exif=orientation(over_black))
    return Part(file.getvalue(), rows, high)


def decoded(data: bytes, kind: str, colour: int) -> Image.Image:
    """The picture as far as it can be decoded, over this colour (in all its bands)."""
    picture = READERS[kind](io.BytesIO(data))
    bands = len(picture.getbands())
    picture.im = Image.new(picture.mode, picture.size, (colour,) * bands if bands > 1 else colour).im
    try:
        picture.load()
    except OSError as error:
        if "truncated" not in str(error):
            raise
    picture.tile = []  # Pillow's list of what is still to be decoded: nothing
    return picture


def orientation(picture: Image.Image) -> Image.Exif:
    """The EXIF block of a picture with its orientation alone."""
    exif = Image.Exif()
    with contextlib.suppress(Exception):  # a broken block raises anything; open_image uses none of it either
        turn = Image.Image.getexif(picture).get(0x0112, 1)
        if turn in TURNS:
            exif[0x0112] = turn
    return exif
