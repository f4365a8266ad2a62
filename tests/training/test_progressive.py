from __future__ import annotations

import pytest

from linnet.errors import SettingError
from linnet.training.progressive import efficientnetv2_rows, progressive, ramp


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


# size, source: images, RandAugment, mixup, cutmix, dropout of the four rows.
# paper: Tan & Le 2021, Table 6, by Algorithm 1; code: main.py (facts: recipes, 2.3).
NAMED = [
    ("s", "paper", [128, 185, 243, 300], [5, 25 / 3, 35 / 3, 15], [0] * 4, [0] * 4, [0.1, 0.5 / 3, 0.7 / 3, 0.3]),
    ("m", "paper", [128, 212, 296, 380], [5, 10, 15, 20], [0, 0.2 / 3, 0.4 / 3, 0.2], [0] * 4, [0.1, 0.2, 0.3, 0.4]),
    ("l", "paper", [128, 212, 296, 380], [5, 35 / 3, 55 / 3, 25], [0, 0.5 / 3, 1 / 3, 0.5], [0] * 4,
     [0.1, 0.7 / 3, 1.1 / 3, 0.5]),
    ("s", "code", [171, 214, 257, 300], [5, 20 / 3, 25 / 3, 10], [0] * 4, [0] * 4, [0.2] * 4),
    ("m", "code", [192, 256, 320, 384], [5, 25 / 3, 35 / 3, 15], [0, 0.2 / 3, 0.4 / 3, 0.2], [0, 0.2 / 3, 0.4 / 3, 0.2],
     [0.3] * 4),
    ("l", "code", [192, 256, 320, 384], [5, 10, 15, 20], [0, 0.5 / 3, 1 / 3, 0.5], [0, 0.5 / 3, 1 / 3, 0.5], [0.4] * 4),
]  # fmt: skip


@pytest.mark.parametrize(("size", "follow", "images", "magnitudes", "mixup", "cutmix", "dropout"), NAMED)
def test_efficientnetv2_by_name(size, follow, images, magnitudes, mixup, cutmix, dropout):
    rows = efficientnetv2_rows(size, follow)
    assert [row.image for row in rows] == images
    assert [row.epochs for row in rows] == [88, 88, 87, 87]
    assert [row.randaugment for row in rows] == pytest.approx(magnitudes)
    assert [row.mixup for row in rows] == pytest.approx(mixup)
    assert [row.cutmix for row in rows] == pytest.approx(cutmix)
    assert [row.dropout for row in rows] == pytest.approx(dropout)
    assert {row.drop_path for row in rows} == {0.2}
    assert {row.batch for row in rows} == {4096}
    assert {row.lr_factor for row in rows} == {1.0}


def test_ffcvs_ramp():
    """rn50_88_epochs.yaml: 160 up to epoch 65, 192 from 76. rn50_16_epochs.yaml: 11 and 13; 176 / 32 = 5.5 becomes 6."""
    rows = ramp(88, image=(160, 192), start=65, end=76, batch=1024)
    assert [(row.epochs, row.image) for row in rows] == [(71, 160), (17, 192)]
    assert {row.batch for row in rows} == {1024}
    rows = ramp(16, start=11, end=13, mixup=0.2)
    assert [(row.epochs, row.image, row.mixup) for row in rows] == [(12, 160, 0.2), (4, 192, 0.2)]
    assert [row.image for row in ramp(3, image=(96, 160), start=0, end=2)] == [96, 128, 160]
    assert [row.image for row in ramp(3, image=(96, 160), start=0, end=0)] == [96, 160]


def test_constant_pixels_a_batch():
    rows = progressive(4, image=(128, 256), batch=64, constant_pixels=True)
    assert [row.image for row in rows] == [128, 168, 216, 256]
    assert [row.batch for row in rows] == [256, 144, 88, 64]  # 64 * 256^2 / side^2, whole multiples of 8
    assert all(0.9 < row.batch * row.image**2 / (64 * 256**2) <= 1 for row in rows)
    assert [row.batch for row in progressive(2, stages=2, image=(128, 132), batch=20, constant_pixels=True)] == [20, 20]


def test_sizes_between_the_ends_are_rounded():
    assert [row.image for row in progressive(8, image=(100, 300))] == [100, 168, 232, 300]
    assert [row.image for row in progressive(8, image=(96, 160), multiple=32)] == [96, 128, 128, 160]
    assert [row.image for row in progressive(3, stages=1, image=(96, 160))] == [160]


def test_batches_may_shrink_as_images_grow():
    assert [row.batch for row in progressive(2, stages=2, batch=(64, 32))] == [64, 32]


@pytest.mark.parametrize(
    "wrong",
    [
        {"constant_pixels": True, "batch": (1, 2, 3, 4)},
        {"stages": 0},
        {"stages": 9},
        {"multiple": 0},
        {"batch": (1, 2)},
        {"follow": "papr"},
        {"image": (8, 16)},
    ],
)
def test_wrong_schedules_are_refused(wrong):
    with pytest.raises(SettingError):
        progressive(8, **wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: ramp(8, start=3, end=8),
        lambda: ramp(8, start=3, end=2),
        lambda: ramp(8, start=-1, end=2),
        lambda: efficientnetv2_rows("xl"),
        lambda: efficientnetv2_rows("s", "papr"),
    ],
)
def test_wrong_rows_are_refused(wrong):
    with pytest.raises(SettingError):
        wrong()
