"""page/preprocess.js and page/resample.js against data/preprocess.py: no bit differs for the same decoded pixels."""

import base64

import numpy as np
import PIL
import pytest
from PIL import Image

from linnet.data.preprocess import Preprocess

SIZES = [(64, 64), (97, 61), (61, 97), (640, 480), (37, 900), (900, 37), (1, 300), (5, 3), (1203, 1801), (225, 224)]
SIZES += [(256, 256), (480, 1100), (480, 700), (300, 530)]
WAYS = [
    Preprocess(image=224),
    Preprocess(image=64, interpolation="bilinear", channels="BGR", mean=(0.5, 0.4, 0.3), std=(0.5, 0.6, 0.25)),
    Preprocess(image=96, mode="squash"),
    Preprocess(image=33, crop=1.0),
    Preprocess(image=129, crop=0.9, interpolation="bilinear"),
]
IMPORTS = 'import { pixelsOf, normalise, boxOf } from "./preprocess.js";'
BODY = """
return given.map(({ how, data, width, height }) => {
  const pixels = pixelsOf(how, { data: Buffer.from(data, "base64"), width, height });
  const bytes = (array) => Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString("base64");
  return [bytes(pixels), bytes(normalise(how, pixels)), boxOf(how, width, height)];
});"""


def pictures():
    """Noise, and an edge between black and white, where bicubic weights overshoot."""
    rng = np.random.default_rng(5)
    for i, (wide, high) in enumerate(SIZES):
        if high > 2 * wide and PIL.__version__ < "13":  # scales these in another order
            continue
        pixels = rng.integers(0, 256, (high, wide, 3), np.uint8)
        if i % 2:
            pixels = (pixels > 127).astype(np.uint8) * 255
        yield Image.fromarray(pixels)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: f"{way.image}-{way.mode}-{way.interpolation}")
def test_the_page_prepares_pictures_as_training_does(way, node):
    given = [
        {
            "how": way.to_json(),
            "data": base64.b64encode(picture.convert("RGBA").tobytes()).decode(),
            "width": picture.width,
            "height": picture.height,
        }
        for picture in pictures()
    ]
    for picture, (pixels, floats, box) in zip(pictures(), node(IMPORTS, BODY, given), strict=True):
        wanted = way.pixels(picture)
        found = np.frombuffer(base64.b64decode(pixels), np.uint8).reshape(wanted.shape)
        assert tuple(box) == tuple(way._box(*picture.size))
        assert (found != wanted).sum() == 0, picture.size
        numbers = way.normalise(wanted)
        assert (np.frombuffer(base64.b64decode(floats), np.float32).reshape(numbers.shape) == numbers).all()
