from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image

from linnet.data import policy as module
from linnet.data.augment import random_numbers
from linnet.data.policy import (
    AUTOAUGMENT,
    TRIVIALAUGMENT,
    augmented,
    autoaugment_amount,
    draw_autoaugment,
    draw_trivialaugment,
    transformed,
    trivialaugment_amount,
)

NEAREST = Image.Resampling.NEAREST


@pytest.fixture(scope="module")
def scene() -> Image.Image:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:96, 0:96]
    pixels = np.stack([x * 1.6 + 20, y * 1.7 + 30, 200 - x * 1.4], -1) + rng.normal(0, 6, (96, 96, 3))
    pixels[20:50, 30:70] = (210, 60, 40)
    return Image.fromarray(pixels.clip(10, 240).astype(np.uint8))


def difference(one: Image.Image, two: Image.Image) -> int:
    return int(abs(np.asarray(one, int) - np.asarray(two, int)).max())


def test_the_sub_policies_are_those_of_v0() -> None:
    """timm holds a copy of the same table; both come from tensorflow/tpu."""
    timm = pytest.importorskip("timm.data.auto_augment")
    theirs = timm.auto_augment_policy_v0({"img_mean": (128, 128, 128)})
    names = {"TranslateYRel": "translate_y", "ShearX": "shear_x", "ShearY": "shear_y", "SolarizeAdd": "solarize_add"}
    expected = [
        [(names.get(op.name, op.name.lower()), op.prob, op.magnitude) for op in sub_policy] for sub_policy in theirs
    ]
    assert [[tuple(step) for step in sub_policy] for sub_policy in AUTOAUGMENT] == expected


def test_autoaugments_amounts_are_those_of_timm(monkeypatch: pytest.MonkeyPatch) -> None:
    timm = pytest.importorskip("timm.data.auto_augment")
    monkeypatch.setattr("random.random", lambda: 0.1)  # timm's side: positive
    names = {
        "rotate": "Rotate", "shear_x": "ShearX", "shear_y": "ShearY", "translate_y": "TranslateYRel",
        "posterize": "PosterizeOriginal", "solarize": "Solarize", "solarize_add": "SolarizeAdd", "color": "Color",
    }  # fmt: skip
    for name, theirs in names.items():
        for strength in range(11):
            expected = (timm.LEVEL_TO_ARG[theirs] or (lambda *_: (0,)))(strength, {"translate_pct": 0.45})[0]
            expected = expected * 200 if name == "translate_y" else expected
            if name == "posterize":  # of timm's, 4 more bits are kept: that is the paper's, not v0's
                expected = max(1, expected - 4)
            assert autoaugment_amount(name, strength, 1, 200) == pytest.approx(expected), (name, strength)
    assert autoaugment_amount("rotate", 8, -1, 200) == -24


def test_operations_equal_torchvisions(scene: Image.Image) -> None:
    transforms = pytest.importorskip("torchvision.transforms.autoaugment")
    mode = transforms.InterpolationMode
    theirs = {
        "shear_x": "ShearX", "shear_y": "ShearY", "translate_x": "TranslateX", "translate_y": "TranslateY",
        "rotate": "Rotate", "brightness": "Brightness", "color": "Color", "contrast": "Contrast",
        "sharpness": "Sharpness", "posterize": "Posterize", "solarize": "Solarize", "autocontrast": "AutoContrast",
        "equalize": "Equalize", "invert": "Invert",
    }  # fmt: skip
    space = transforms.TrivialAugmentWide()._augmentation_space(31)
    for name, their_name in theirs.items():
        for strength in (0, 3, 11, 30):
            for sign in (1, -1):
                amount = trivialaugment_amount(name, strength, sign)
                magnitudes, signed = space.get(their_name, (np.zeros(()), False))
                expected = float(magnitudes[strength]) * (sign if signed else 1) if magnitudes.ndim else 0.0
                graded = 1 + expected if name in ("brightness", "color", "contrast", "sharpness") else expected
                assert amount == pytest.approx(graded, abs=1e-5), (name, strength, sign)
                theirs_done = transforms._apply_op(scene, their_name, expected, mode.NEAREST, [128.0] * 3)
                ours = transformed(scene, name, amount, NEAREST)
                assert difference(ours, theirs_done) <= 1, (name, strength, sign)


def test_solarize_add_equals_timms(scene: Image.Image) -> None:
    timm = pytest.importorskip("timm.data.auto_augment")
    assert difference(transformed(scene, "solarize_add", 77, NEAREST), timm.solarize_add(scene, 77)) == 0


def test_every_sub_policy_and_operation_is_drawn_as_often_as_it_says() -> None:
    drawn = [draw_autoaugment(100, random_numbers(0, 0, index)) for index in range(5000)]
    expected = sum(step.probability for sub_policy in AUTOAUGMENT for step in sub_policy) / 25
    assert sum(map(len, drawn)) / 5000 == pytest.approx(expected, abs=0.03)
    share = sum(any(name == "invert" for name, _ in chosen) for chosen in drawn) / 5000
    assert share == pytest.approx(0.4 / 25, abs=0.006)
    trivial = [draw_trivialaugment(random_numbers(0, 0, index)) for index in range(5000)]
    names = [chosen[0][0] if chosen else "identity" for chosen in trivial]
    assert set(names) == set(TRIVIALAUGMENT)
    assert all(names.count(name) / 5000 == pytest.approx(1 / 14, abs=0.012) for name in TRIVIALAUGMENT)
    angles = [chosen[0][1] for chosen in trivial if chosen and chosen[0][0] == "rotate"]
    assert len({round(angle, 6) for angle in angles}) > 55  # 30 on each side, and 0
    assert max(angles) == 135
    assert abs(np.mean(np.sign(angles))) < 0.15


@pytest.mark.parametrize("policy", ["autoaugment", "trivialaugment"])
def test_the_same_numbers_give_the_same_picture(scene: Image.Image, policy: module.Policy) -> None:
    pixels = np.asarray(scene)
    pictures = [augmented(pixels, policy, "bicubic", random_numbers(0, 0, index)) for index in range(60)]
    assert all(picture.shape == (96, 96, 3) and picture.dtype == np.uint8 for picture in pictures)
    again = augmented(pixels, policy, "bicubic", random_numbers(0, 0, 7))
    assert np.array_equal(pictures[7], again)
    assert sum(not np.array_equal(picture, pixels) for picture in pictures) > 40
    assert len({picture.tobytes() for picture in pictures}) > 25  # AutoAugment has few amounts
    assert all(picture.std() > 1 for picture in pictures)  # none of one colour


def test_no_policy_draws_no_number(scene: Image.Image) -> None:
    rng = random_numbers(0, 0, 0)
    pixels = np.asarray(scene)
    assert augmented(pixels, "none", "bicubic", rng) is pixels
    assert rng.random() == random_numbers(0, 0, 0).random()


def test_an_operation_that_there_is_not_is_an_error_of_ours(scene: Image.Image) -> None:
    with pytest.raises(ValueError, match="blur"):
        transformed(scene, "blur", 1, NEAREST)
    assert math.isclose(autoaugment_amount("posterize", 2, 1, 224), 1)  # v0 would keep no bit: a black picture
