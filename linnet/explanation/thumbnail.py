"""Pictures inside a page: small JPEGs as data URIs."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

if TYPE_CHECKING:
    from PIL.Image import Image

SIDE = 224  # pixels; shown at about 160, sharp on fine screens too


QUALITIES = (72, 50, 30, 15)  # of JPEG, the best first


def thumbnail(path: Path, side: int = SIDE, most: int | None = None) -> tuple[Markup, str]:
    """A small JPEG of a photo (a file, or a picture of a pack) as a data URI, or why there is none; of `most` characters where a quality allows it."""
    from ..data.image import BadImage
    from ..data.index import open_photo

    try:
        picture = open_photo(path, at_least=side)
    except BadImage as error:
        return Markup(), error.reason
    return shrunk(picture, side, most), ""


def shrunk(picture: Image, side: int = SIDE, most: int | None = None) -> Markup:
    """`thumbnail` of a picture that is open."""
    picture.thumbnail((side, side))
    uri = data_uri(picture, quality=QUALITIES[0])
    for quality in QUALITIES[1:] if most else ():
        if len(uri) > (most or 0):
            uri = data_uri(picture, quality=quality)
    return uri


def data_uri(picture: Image, *, quality: int = 72) -> Markup:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality, optimize=True)
    return Markup("data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode())
