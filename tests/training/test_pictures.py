from __future__ import annotations

import numpy as np
import pytest
import torch

from linnet.data.preprocess import Preprocess
from linnet.training.pictures import as_pictures, sheet
from linnet.training.prepare import normaliser


@pytest.mark.parametrize("channels", ["RGB", "BGR"])
def test_a_batch_comes_back_as_it_was(channels):
    preprocess = Preprocess(mean=(0.5, 0.4, 0.3), std=(0.2, 0.25, 0.3), channels=channels)
    pixels = torch.randint(0, 256, (3, 8, 8, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    images = normaliser(preprocess, torch.device("cpu"), "channels_last")(pixels)
    assert np.array_equal(as_pictures(images, preprocess), pixels.numpy())


def test_a_sheet_is_as_square_as_it_goes_and_holds_each_picture():
    pictures = np.stack([np.full((4, 6, 3), i, np.uint8) for i in range(5)])
    made = sheet(pictures)
    assert made.shape == (2 * 4 + 2, 3 * 6 + 2 * 2, 3)  # two rows of three
    assert [made[0, 0, 0], made[0, 8, 0], made[0, 16, 0], made[6, 0, 0], made[6, 8, 0]] == [0, 1, 2, 3, 4]
    assert (made[6:, 16:] == 255).all()
