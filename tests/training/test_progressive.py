from __future__ import annotations

import pytest

from linnet.errors import SettingError
from linnet.training.progressive import progressive


def test_the_papers_schedule():
    """EfficientNetV2-S, Table 6 (facts: recipes, 2.3)."""
    rows = progressive(350, image=(128, 300), multiple=1)
    assert [row.image for row in rows] == [128, 185, 243, 300]
    assert [row.epochs for row in rows] == [88, 88, 87, 87]
    assert [row.randaugment for row in rows] == pytest.approx([5, 25 / 3, 35 / 3, 15])
    assert [row.dropout for row in rows] == pytest.approx([0.1, 0.5 / 3, 0.7 / 3, 0.3])


@pytest.mark.parametrize(
    ("largest", "magnitude", "images", "magnitudes"),
    [
        (300, 10, [171, 214, 257, 300], [5, 20 / 3, 25 / 3, 10]),  # S
        (384, 15, [192, 256, 320, 384], [5, 25 / 3, 35 / 3, 15]),  # M
        (384, 20, [192, 256, 320, 384], [5, 10, 15, 20]),  # L
    ],
)
def test_the_released_codes_schedule(largest, magnitude, images, magnitudes):
    rows = progressive(350, image=(128, largest), randaugment=(5, magnitude), multiple=1, follow="code")
    assert [row.image for row in rows] == images
    assert [row.randaugment for row in rows] == pytest.approx(magnitudes)
    assert {row.dropout for row in rows} == {0.3}


def test_sizes_between_the_ends_are_rounded():
    assert [row.image for row in progressive(8, image=(100, 300))] == [100, 168, 232, 300]
    assert [row.image for row in progressive(8, image=(96, 160), multiple=32)] == [96, 128, 128, 160]
    assert [row.image for row in progressive(3, stages=1, image=(96, 160))] == [160]


def test_batches_may_shrink_as_images_grow():
    assert [row.batch for row in progressive(2, stages=2, batch=(64, 32))] == [64, 32]


@pytest.mark.parametrize(
    "wrong",
    [{"stages": 0}, {"stages": 9}, {"multiple": 0}, {"batch": (1, 2)}, {"follow": "papr"}, {"image": (8, 16)}],
)
def test_wrong_schedules_are_refused(wrong):
    with pytest.raises(SettingError):
        progressive(8, **wrong)
