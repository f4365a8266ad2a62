from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from linnet.data.inspector import look
from linnet.data.near import ALIKE, BITS, SIDE, Pair, _ones, find_alike, groups_of, hash64


def scene(seed: int, wide: int = 400, high: int = 300) -> Image.Image:
    """A picture with large and small shapes, different for each seed."""
    rng = np.random.default_rng(seed)
    layers = [Image.fromarray(rng.integers(0, 256, (n, n, 3), dtype=np.uint8)) for n in (4, 9, 16)]
    first, *more = (layer.resize((wide, high), Image.Resampling.BICUBIC) for layer in layers)
    for layer in more:
        first = Image.blend(first, layer, 0.4)
    return first


def thumbs_of(folder, pictures) -> np.ndarray:
    found = []
    for n, (picture, options) in enumerate(pictures):
        path = folder / f"{n}.{options.get('format', 'jpeg')}"
        picture.save(path, **options)
        found.append(look(str(path)).thumb)
    return np.frombuffer(b"".join(found), np.uint8).reshape(-1, SIDE, SIDE, 3)


@pytest.mark.parametrize(
    "alter",
    [
        lambda p: (p, {"quality": 30}),
        lambda p: (p.resize((p.width // 2, p.height // 2)), {"quality": 85}),
        lambda p: (p.resize((120, 90)), {"format": "png"}),
        lambda p: (ImageEnhance.Brightness(p).enhance(1.1), {"quality": 85}),
        lambda p: (p.transpose(Image.Transpose.FLIP_LEFT_RIGHT), {"quality": 85}),
    ],
    ids=["compressed", "halved", "small png", "brighter", "mirrored"],
)
def test_altered_copies_are_found_and_nothing_else(tmp_path, alter):
    originals = [(scene(n), {"quality": 92}) for n in range(20)]
    thumbs = thumbs_of(tmp_path, originals + [alter(picture) for picture, _ in originals])
    alike = find_alike(thumbs)
    assert alike.complete
    assert {(pair.first, pair.second) for pair in alike.pairs} == {(n, n + 20) for n in range(20)}
    assert all(ALIKE <= pair.likeness <= 1 for pair in alike.pairs)
    mirrored = "FLIP" in str(alter.__code__.co_names)
    assert {pair.mirrored for pair in alike.pairs} == {mirrored}


def test_the_same_shape_in_another_colour_is_no_copy(tmp_path):
    picture = scene(3)
    red = Image.merge("RGB", (picture.getchannel("R"), *[Image.new("L", picture.size, 20)] * 2))
    blue = Image.merge("RGB", (*[Image.new("L", picture.size, 20)] * 2, picture.getchannel("R")))
    assert find_alike(thumbs_of(tmp_path, [(red, {"format": "png"}), (blue, {"format": "png"})])).pairs == ()


def test_empty_pictures_are_not_compared(tmp_path):
    grey = [(Image.new("RGB", (60, 60), (n, n, n)), {"format": "png"}) for n in (0, 100, 101, 255)]
    assert find_alike(thumbs_of(tmp_path, grey)).pairs == ()
    assert find_alike(np.empty((0, SIDE, SIDE, 3), np.uint8)) == ((), True)


def smooth(n: int, seed: int = 0) -> np.ndarray:
    """n thumbnails of random waves: none looks like another."""
    rng = np.random.default_rng(seed)
    place = (np.arange(SIDE) + 0.5) * np.pi / SIDE
    waves = np.cos(np.arange(8)[:, None] * place)
    fall = 1 / (1 + np.add.outer(np.arange(8), np.arange(8)))
    found = np.empty((n, SIDE, SIDE, 3), np.float32)
    for c in range(3):
        found[..., c] = np.einsum("nij,ix,jy->nxy", rng.normal(0, 60, (n, 8, 8)) * fall, waves, waves, optimize=True)
    return np.clip(found + 128, 0, 255).astype(np.uint8)


def test_the_bands_find_the_pairs_that_comparing_all_with_all_finds():
    rng = np.random.default_rng(1)
    thumbs = smooth(600)
    thumbs[300:500] = np.clip(thumbs[:200] + rng.normal(0, 3, (200, SIDE, SIDE, 3)), 0, 255)
    flat = thumbs.reshape(600, -1, 3) - thumbs.reshape(600, -1, 3).mean(1, keepdims=True)
    flat = flat.reshape(600, -1) / np.linalg.norm(flat.reshape(600, -1), axis=1)[:, None]
    near = flat @ flat.T >= ALIKE
    hashes = hash64(thumbs)
    wanted = {
        (i, j)
        for i, j in itertools.combinations(range(600), 2)
        if near[i, j] and int(hashes[i] ^ hashes[j]).bit_count() <= BITS
    }
    assert len(wanted) > 150
    assert {(pair.first, pair.second) for pair in find_alike(thumbs).pairs if not pair.mirrored} == wanted


def test_thousands_of_copies_of_one_picture_end_as_one_group_soon():
    rng = np.random.default_rng(0)
    thumbs = np.clip(smooth(1, 5).astype(int) + rng.integers(-2, 3, (2000, SIDE, SIDE, 3)), 0, 255).astype(np.uint8)
    start = time.process_time()
    alike = find_alike(thumbs)
    assert time.process_time() - start < 30  # measured: 2
    assert not alike.complete
    (group,) = groups_of(alike.pairs)
    assert len(group) > 1900


def test_work_grows_about_as_the_photos_do():
    thumbs = smooth(30_000)
    start = time.process_time()
    assert find_alike(thumbs).complete
    assert time.process_time() - start < 30  # measured: 3; comparing all with all takes minutes


def test_groups_join_what_pairs_join():
    pairs = [Pair(5, 9, 1, False), Pair(2, 5, 1, False), Pair(3, 4, 1, True), Pair(2, 9, 1, False)]
    assert groups_of(pairs) == [[2, 5, 9], [3, 4]]
    assert groups_of([]) == []


def test_ones_are_counted():
    values = np.array([0, 1, 0xFFFF, 2**64 - 1, 0x8000000000000001], np.uint64)
    assert _ones(values).tolist() == [0, 1, 16, 64, 2]
