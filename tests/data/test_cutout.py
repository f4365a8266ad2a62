from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from linnet.data.augment import Augment, random_numbers
from linnet.data.cutout import cut_out
from linnet.errors import SettingError


def test_a_grey_square_of_the_share_that_may_lie_partly_outside() -> None:
    white = np.full((64, 64, 3), 255, np.uint8)
    heights, whole = [], 0
    for index in range(300):
        changed = (cut_out(white, 0.25, random_numbers(0, 0, index)) != 255).all(-1)
        rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
        assert changed.sum() == len(rows) * len(columns)  # a rectangle
        heights.append(len(rows))
        whole += changed.sum() == 16 * 16
    assert max(heights) == 16
    assert min(heights) < 12
    assert whole / 300 == pytest.approx((48 / 64) ** 2, abs=0.08)
    assert (white == 255).all()


def test_off_draws_no_number() -> None:
    rng, pixels = random_numbers(0, 0, 0), np.zeros((8, 8, 3), np.uint8)
    assert cut_out(pixels, 0.0, rng) is pixels
    assert rng.random() == random_numbers(0, 0, 0).random()


def test_it_is_the_last_thing_that_happens_to_a_picture() -> None:
    file = io.BytesIO()
    Image.new("RGB", (80, 60), (250, 10, 10)).save(file, "PNG")
    plain = Augment(40, erasing=1.0).pixels(file.getvalue(), random_numbers(0, 0, 3))
    with_square = Augment(40, erasing=1.0, cutout=0.5).pixels(file.getvalue(), random_numbers(0, 0, 3))
    changed = (plain != with_square).any(-1)
    assert changed.any()
    assert (with_square[changed] == 128).all()


def test_a_wrong_share_is_named() -> None:
    with pytest.raises(SettingError, match="cutout"):
        Augment(32, cutout=1.0)
