from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from linnet.data.augment import Augment, random_numbers
from linnet.data.jitter import Jitter, jittered, recoloured
from linnet.errors import SettingError


@pytest.fixture(scope="module")
def scene() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8))


def test_each_change_equals_torchvisions(scene: Image.Image) -> None:
    functional = pytest.importorskip("torchvision.transforms.functional")
    theirs = {
        "brightness": functional.adjust_brightness, "contrast": functional.adjust_contrast,
        "saturation": functional.adjust_saturation,
    }  # fmt: skip
    for amount in (-0.4, -0.1, 0.25, 0.9):
        for what, adjust in theirs.items():
            given, expected = recoloured(scene, what, amount), adjust(scene, 1 + amount)
            assert abs(np.asarray(given, int) - np.asarray(expected, int)).max() <= 1, (what, amount)
    for amount in (-0.5, -0.2, 0.1, 0.5):
        given, expected = recoloured(scene, "hue", amount), functional.adjust_hue(scene, amount)
        assert abs(np.asarray(given, int) - np.asarray(expected, int)).max() <= 1, amount


def test_one_strength_is_for_all_but_the_hue() -> None:
    assert Jitter.of(0.3) == Jitter(0.3, 0.3, 0.3, 0.0)
    assert Jitter.of((0.1, 0.2, 0.3)) == Jitter(0.1, 0.2, 0.3, 0.0)
    assert Jitter.of((0.1, 0.2, 0.3, 0.4)) == Jitter(0.1, 0.2, 0.3, 0.4)


def test_brightness_is_spread_over_its_range() -> None:
    grey = np.full((4, 4, 3), 100, np.uint8)
    levels = [jittered(grey, Jitter(brightness=0.4), random_numbers(0, 0, i))[0, 0, 0] for i in range(400)]
    assert min(levels) in (60, 61, 62)
    assert max(levels) in (138, 139, 140)
    assert abs(np.mean(levels) - 100) < 3


def test_the_order_differs_from_picture_to_picture(scene: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    orders = set()
    for index in range(60):
        seen: list[str] = []
        monkeypatch.setattr(
            "linnet.data.jitter.recoloured", lambda picture, what, amount, seen=seen: seen.append(what) or picture
        )
        jittered(np.asarray(scene), Jitter(0.4, 0.4, 0.4, 0.1), random_numbers(0, 0, index))
        orders.add(tuple(seen))
    assert len(orders) > 15  # of 24
    assert all(sorted(order) == ["brightness", "contrast", "hue", "saturation"] for order in orders)


def test_off_draws_no_number(scene: Image.Image) -> None:
    rng, pixels = random_numbers(0, 0, 0), np.asarray(scene)
    assert jittered(pixels, Jitter(), rng) is pixels
    assert rng.random() == random_numbers(0, 0, 0).random()


@pytest.mark.parametrize("jitter", [Jitter(-0.1), Jitter(hue=0.6)])
def test_a_wrong_strength_is_named(jitter: Jitter) -> None:
    with pytest.raises(SettingError, match="jitter"):
        Augment(32, jitter=jitter)
