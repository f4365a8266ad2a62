from __future__ import annotations

import io
import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from linnet.data import augment as module
from linnet.data.augment import OPERATIONS, Augment, draw_crop, erased, rand_augment, random_numbers, resized
from linnet.data.image import BadImage, open_image, read_size
from linnet.data.preprocess import Preprocess
from linnet.errors import SettingError

WHOLE = {"crop_area": (1.0, 1.0), "ratio": (0.5, 2.0), "flip": 0.0}
GRADED = {
    module.posterize, module.solarize, module.solarize_add, module.color, module.contrast, module.brightness,
    module.sharpness, module.rotate, module.shear_x, module.shear_y, module.translate_x, module.translate_y,
}  # fmt: skip


@pytest.fixture(scope="module")
def scene() -> Image.Image:
    """A picture with colour, gradients, edges and fine grain: every operation shows on it."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:240, 0:320]
    pixels = np.stack([x * 0.6 + 20, y * 0.7 + 30, 200 - x * 0.4], -1) + rng.normal(0, 6, (240, 320, 3))
    pixels[60:140, 90:200] = (210, 60, 40)
    return Image.fromarray(pixels.clip(10, 240).astype(np.uint8))


def as_bytes(picture: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def test_the_draws_of_two_samples_never_meet() -> None:
    keys = [(0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0), (1, 1, 0), (0, 0, 2**40), (-1, 0, 0)]
    first = {key: tuple(random_numbers(*key).integers(0, 2**63, 4)) for key in keys}
    assert len(set(first.values())) == len(keys)
    assert first == {key: tuple(random_numbers(*key).integers(0, 2**63, 4)) for key in keys}


def test_the_same_key_gives_the_same_picture(scene: Image.Image) -> None:
    augment = Augment(64, randaugment=9, erasing=0.5)
    file = as_bytes(scene)
    one, two = (augment.pixels(file, random_numbers(3, 1, 7)) for _ in range(2))
    other = augment.pixels(file, random_numbers(3, 1, 8))
    assert one.shape == (64, 64, 3)
    assert one.dtype == np.uint8
    assert one.flags.c_contiguous
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 3000), st.integers(1, 3000), st.integers(0, 1000))
def test_a_crop_lies_in_its_picture(width: int, height: int, index: int) -> None:
    left, top, right, bottom = draw_crop(width, height, (0.08, 1.0), (3 / 4, 4 / 3), random_numbers(0, 0, index))
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height


def test_crops_cover_the_whole_range_of_areas_and_ratios() -> None:
    boxes = [draw_crop(1000, 1000, (0.08, 1.0), (3 / 4, 4 / 3), random_numbers(0, 0, index)) for index in range(2000)]
    areas = np.array([(right - left) * (bottom - top) / 1e6 for left, top, right, bottom in boxes])
    ratios = np.array([(right - left) / (bottom - top) for left, top, right, bottom in boxes])
    assert areas.min() == pytest.approx(0.08, abs=0.01)
    assert areas.max() > 0.95
    assert 0.74 < ratios.min() < 0.77
    assert 1.30 < ratios.max() < 1.35
    assert min(box[0] for box in boxes) == 0
    assert max(box[2] for box in boxes) == 1000


def test_a_jpeg_is_decoded_no_larger_than_its_crop_needs(scene: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[tuple[int, int]] = []

    def watched(source: bytes, **options: object) -> Image.Image:
        decoded.append((picture := open_image(source, **options)).size)  # type: ignore[arg-type]
        return picture

    monkeypatch.setattr(module, "open_image", watched)
    file = as_bytes(scene.resize((1280, 960)))
    Augment(100, **WHOLE).pixels(file, random_numbers(0, 0, 0))
    Augment(300, **WHOLE).pixels(file, random_numbers(0, 0, 0))
    Augment(100, crop_area=(0.04, 0.04), ratio=(1, 1)).pixels(file, random_numbers(0, 0, 0))  # 222 pixels wide
    Augment(2000, **WHOLE).pixels(file, random_numbers(0, 0, 0))
    assert decoded == [(160, 120), (640, 480), (640, 480), (1280, 960)]


@pytest.mark.parametrize("scale", [1, 4])
def test_reduced_decoding_shows_the_same_part_of_the_picture(scene: Image.Image, scale: int) -> None:
    large = scene.resize((320 * scale, 240 * scale), Image.Resampling.BICUBIC)
    file = as_bytes(large, quality=95)
    augment = Augment(48, ratio=(1, 1), crop_area=(0.3, 0.3), flip=0)
    rng = random_numbers(0, 0, 5)
    box = draw_crop(*large.size, (0.3, 0.3), (1, 1), random_numbers(0, 0, 5))
    expected = np.asarray(large.resize((48, 48), Image.Resampling.BICUBIC, box=box), np.float32)
    given = augment.pixels(file, rng).astype(np.float32)
    assert abs(given - expected).mean() < 2.5


@pytest.mark.parametrize("upright", [True, False])
def test_training_turns_a_photo_as_evaluation_does(scene: Image.Image, upright: bool) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    file = as_bytes(scene.resize((640, 480)), quality=95, exif=exif)
    assert read_size(file, upright=upright) == open_image(file, upright=upright).size
    trained = Augment(64, **WHOLE, upright=upright).pixels(file, random_numbers(0, 0, 0))
    evaluated = Preprocess(image=64, mode="squash", upright=upright).read(file)
    assert abs(trained.astype(np.float32) - evaluated).mean() < 3


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_photo_is_cropped_upright(scene: Image.Image, orientation: int) -> None:
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }  # fmt: skip
    upright = scene.resize((640, 480))
    stored = upright.transpose(undo[orientation]) if orientation in undo else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    augment = Augment(40, ratio=(1, 1), crop_area=(0.2, 0.4), flip=0)
    turned = augment.pixels(as_bytes(stored, quality=95, exif=exif), random_numbers(0, 0, 3))
    plain = augment.pixels(as_bytes(upright, quality=95), random_numbers(0, 0, 3))
    assert abs(turned.astype(int) - plain).mean() < 2


def test_resizing_agrees_with_pillow(scene: Image.Image) -> None:
    for interpolation, kind in (("bicubic", Image.Resampling.BICUBIC), ("bilinear", Image.Resampling.BILINEAR)):
        for box in ((0, 0, 320, 240), (13, 40, 250, 233), (100, 100, 120, 115)):
            given = resized(np.asarray(scene.crop(box)), 64, 64, interpolation).astype(int)
            expected = np.asarray(scene.crop(box).resize((64, 64), kind)).astype(int)
            assert abs(given - expected).max() <= 2


@pytest.mark.parametrize(
    ("kind", "mode", "size"),
    [("PNG", "RGB", (90, 70)), ("PNG", "RGBA", (90, 70)), ("GIF", "L", (30, 40)), ("WEBP", "RGB", (90, 70)),
     ("BMP", "RGB", (1, 1)), ("PNG", "L", (1, 500)), ("JPEG", "CMYK", (90, 70)), ("TIFF", "RGB", (500, 2))],
)  # fmt: skip
def test_every_kind_of_picture_comes_out_square(kind: str, mode: str, size: tuple[int, int]) -> None:
    picture = Image.new("RGB", size, (200, 100, 50)).convert(mode)
    pixels = Augment(32, randaugment=10, erasing=0.3).pixels(as_bytes(picture, kind), random_numbers(0, 0, 1))
    assert pixels.shape == (32, 32, 3)


def test_a_bad_file_is_told_as_such(scene: Image.Image) -> None:
    whole = as_bytes(scene)
    with pytest.raises(BadImage, match="truncated"):
        Augment(32).pixels(whole[: len(whole) // 2], random_numbers(0, 0, 0))


def test_flip_happens_half_of_the_time_and_is_a_mirror(scene: Image.Image) -> None:
    file = as_bytes(scene)
    plain = Augment(32, **WHOLE)
    mirrored = Augment(32, crop_area=(1.0, 1.0), ratio=(0.5, 2.0), flip=1.0)
    rng = lambda index: random_numbers(0, 0, index)  # noqa: E731
    assert np.array_equal(plain.pixels(file, rng(0))[:, ::-1], mirrored.pixels(file, rng(0)))
    half = Augment(32, crop_area=(1.0, 1.0), ratio=(0.5, 2.0))
    flips = sum(not np.array_equal(half.pixels(file, rng(i)), plain.pixels(file, rng(i))) for i in range(200))
    assert 70 < flips < 130


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.__name__)
def test_an_operation_changes_the_picture_and_more_so_at_a_higher_level(scene: Image.Image, operation) -> None:
    def change(level: float, sign: int) -> float:
        given = operation(scene, level, sign, Image.Resampling.BICUBIC)
        assert given.size == scene.size
        assert given.mode == "RGB"
        return float(abs(np.asarray(given, np.float32) - np.asarray(scene, np.float32)).mean())

    for sign in (1, -1):
        assert change(0.9, sign) > 0.5
        assert change(3.0, sign) > 0.5  # EfficientNetV2 goes to 25 of 10
        if operation in GRADED:
            assert change(0.9, sign) > change(0.3, sign) > 0


def test_operations_equal_timms(scene: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    timm = pytest.importorskip("timm.data.auto_augment")
    monkeypatch.setattr(random, "random", lambda: 0.9)  # timm's side: negative
    names = timm._RAND_INCREASING_TRANSFORMS
    ours = {operation.__name__.replace("_", ""): operation for operation in OPERATIONS}
    assert len(names) == len(ours) == 15
    small = scene.resize((100, 100))
    for name in names:
        theirs = timm.AugmentOp(
            name,
            prob=1.0,
            magnitude=6,
            hparams={"img_mean": (128, 128, 128), "interpolation": Image.Resampling.BICUBIC},
        )
        operation = ours[name.lower().removesuffix("increasing").removesuffix("rel")]
        expected = np.asarray(theirs(small), int)
        given = np.asarray(operation(small, 0.6, -1, Image.Resampling.BICUBIC), int)
        assert abs(given - expected).max() <= 1, name


def test_randaugment_applies_each_of_its_operations(scene: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, list[tuple[float, int]]] = {operation.__name__: [] for operation in OPERATIONS}

    def watch(operation: module.Operation) -> module.Operation:
        def watched(picture: Image.Image, level: float, sign: int, resample: Image.Resampling) -> Image.Image:
            seen[operation.__name__].append((level, sign))
            return operation(picture, level, sign, resample)

        return watched

    monkeypatch.setattr(module, "OPERATIONS", tuple(watch(operation) for operation in OPERATIONS))
    pixels = np.asarray(scene.resize((16, 16)))
    for index in range(1500):
        rand_augment(pixels, 9.0, 2, 0.5, "bicubic", random_numbers(0, 0, index))
    counts = [len(calls) for calls in seen.values()]
    levels = np.array([level for calls in seen.values() for level, _ in calls])
    signs = [sign for calls in seen.values() for _, sign in calls]
    assert 1350 < sum(counts) < 1650  # two layers, each with probability 1/2
    assert min(counts) > 60
    assert levels.mean() == pytest.approx(0.9, abs=0.01)
    assert levels.std() == pytest.approx(0.05, abs=0.01)
    assert abs(sum(signs)) < 150


def test_erasing_fills_one_rectangle_with_noise() -> None:
    grey = np.full((64, 64, 3), 77, np.uint8)
    shares = []
    for index in range(100):
        changed = (erased(grey, random_numbers(0, 0, index)) != 77).any(-1)
        rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
        inside = changed[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        assert inside.mean() > 0.98
        shares.append(changed.mean())
    assert 0.01 < min(shares) < 0.05
    assert 0.25 < max(shares) < 0.36
    assert (grey == 77).all()


@pytest.mark.parametrize(
    "setting",
    [{"image": 0}, {"randaugment": -1}, {"randaugment": 101}, {"layers": -1}, {"crop_area": (0.0, 1.0)},
     {"crop_area": (0.5, 0.2)}, {"ratio": (2, 1)}, {"flip": 1.5}, {"erasing": -0.1}, {"interpolation": "nearest"}],
    ids=str,
)  # fmt: skip
def test_a_wrong_setting_is_named(setting: dict[str, object]) -> None:
    with pytest.raises(SettingError, match=next(iter(setting))):
        Augment(**{"image": 32, **setting})  # type: ignore[arg-type]


def test_torch_resizes_the_layout_of_pixels_as_it_does_planes() -> None:
    """The fast way through torch's kernel, held against the plain one."""
    rng = np.random.default_rng(0)
    for height, width, image in ((1, 1, 5), (3, 200, 32), (170, 130, 128), (60, 61, 100)):
        pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        for mode in ("bicubic", "bilinear"):
            planes = torch.from_numpy(pixels).permute(2, 0, 1).contiguous().unsqueeze(0)
            wanted = torch.nn.functional.interpolate(planes, (image, image), mode=mode, antialias=True)
            assert np.array_equal(resized(pixels, image, image, mode), wanted[0].permute(1, 2, 0).numpy())
