from __future__ import annotations

import numpy as np

from linnet.data.tone import Tones, tones_of


def test_each_kind_is_named_once():
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 256, (16, 16, 3), np.uint8)
    grey = np.repeat(photo[..., :1], 3, 2)
    night = photo // 12  # up to 21
    snow = 241 + photo % 14
    wall = np.full((16, 16, 3), (80, 120, 50), np.uint8) + photo % 9
    star = np.zeros((16, 16, 3), np.uint8)
    star[3, 4] = 200  # a small bright thing on black is a picture
    found = tones_of(np.stack([photo, grey, night, snow, wall, star]).astype(np.uint8))
    assert found == Tones(black=(2,), white=(3,), uniform=(4,), grey=(1, 5))


def test_no_pictures():
    assert tones_of(np.empty((0, 16, 16, 3), np.uint8)) == Tones()
