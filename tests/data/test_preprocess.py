from __future__ import annotations

import ast
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import linnet.data.preprocess
from linnet.data.image import open_image
from linnet.data.preprocess import Preprocess
from linnet.errors import SettingError


@pytest.mark.parametrize("size", [(400, 533), (533, 400), (61, 47), (300, 300), (224, 900)])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_crop_is_resize_the_short_side_and_cut_the_middle(nasty, size, interpolation):
    image = nasty.picture(4, *size)
    preprocess = Preprocess(image=96, interpolation=interpolation)
    filters = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}
    scale = 109 / min(size)
    assert preprocess.resize == 109
    whole = image.resize([int(side * 109 / min(size)) for side in size], filters[interpolation])
    left, top = (round((side - 96) / 2) for side in whole.size)
    expected = np.asarray(whole.crop((left, top, left + 96, top + 96)), int)
    difference = np.abs(preprocess.pixels(image) - expected)
    assert difference.max() <= 3
    assert difference.mean() < 0.1, scale


def test_squash_keeps_everything(nasty):
    image = nasty.picture(4, 50, 20)
    pixels = Preprocess(image=32, mode="squash").pixels(image)
    assert (pixels == np.asarray(image.resize((32, 32), Image.Resampling.BICUBIC))).all()


def test_without_antialias_only_the_nearest_pixels_count():
    stripes = Image.fromarray(np.tile(np.array([[0], [255]], np.uint8).repeat(3, 1)[:, None], (128, 256, 1)))
    smooth = Preprocess(image=32, crop=1.0).pixels(stripes)
    harsh = Preprocess(image=32, crop=1.0, antialias=False, interpolation="bilinear").pixels(stripes)
    assert harsh.shape == smooth.shape == (32, 32, 3)
    grey = np.asarray(Preprocess(image=16, antialias=False).pixels(Image.new("RGB", (99, 77), (7, 8, 9))))
    assert (grey == [7, 8, 9]).all()  # no black rim
    checks = Image.fromarray((np.indices((90, 90)).sum(0) // 3 % 2 * 255).astype(np.uint8)).convert("RGB")
    assert Preprocess(image=13, antialias=False).pixels(checks).std() > 2 * Preprocess(image=13).pixels(checks).std()


@pytest.mark.parametrize("size", [(1, 5000), (5000, 1), (1, 1), (2, 3)])
def test_extreme_shapes_cost_nothing_and_work(size):
    pixels = Preprocess(image=224).pixels(Image.new("RGB", size, "red"))
    assert pixels.shape == (224, 224, 3)
    assert (pixels == [255, 0, 0]).all()


def test_read_is_the_same_upright_and_at_reduced_scale(nasty):
    preprocess = Preprocess(image=64)
    reference = preprocess.pixels(nasty.picture(3)).astype(int)
    for orientation in range(1, 9):
        data = nasty.turned(3, orientation)
        assert (preprocess.read(data) == preprocess.pixels(open_image(data))).all()
        assert np.abs(preprocess.read(data) - reference).mean() < 4
    large = nasty.picture(3, 2000, 1500)
    data = nasty.encoded(large, "JPEG", quality=95)
    assert open_image(data, at_least=2 * preprocess.resize).size == (250, 188)
    assert np.abs(preprocess.read(data).astype(int) - preprocess.pixels(large)).mean() < 2
    sideways = nasty.turned(3, 6)
    assert (Preprocess(image=64, upright=False).read(sideways) != preprocess.read(sideways)).any()


def test_normalise_gives_planes_in_the_networks_order():
    pixels = np.random.default_rng(0).integers(0, 256, (2, 5, 7, 3), dtype=np.uint8)
    preprocess = Preprocess(mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7))
    seen = preprocess.normalise(pixels)
    expected = (pixels / 255 - [0.1, 0.2, 0.3]) / [0.5, 0.6, 0.7]
    assert seen.dtype == np.float32
    assert seen.flags.c_contiguous
    assert seen.shape == (2, 3, 5, 7)
    np.testing.assert_allclose(seen, np.moveaxis(expected, -1, 1), atol=1e-6)
    blue_first = Preprocess(mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7), channels="BGR").normalise(pixels)
    np.testing.assert_allclose(blue_first, preprocess.normalise(pixels[..., ::-1]), atol=0)


def test_json_round_trip_and_another_size():
    preprocess = Preprocess(image=160, crop=0.9, mode="squash", mean=(0.5, 0.5, 0.5), channels="BGR", upright=False)
    again = Preprocess.from_json(json.loads(json.dumps(preprocess.to_json())))
    assert again == preprocess
    assert hash(again) == hash(preprocess)
    assert preprocess.at(96).image == 96
    assert preprocess.at(96).at(160) == preprocess


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("imagee", 224),
        ("image", 0),
        ("image", 224.0),
        ("image", "224"),
        ("image", True),
        ("image", 10**9),
        ("crop", 0),
        ("crop", 1.01),
        ("crop", float("nan")),
        ("mode", "centre"),
        ("interpolation", "nearest"),
        ("antialias", 1),
        ("mean", [0.5, 0.5]),
        ("mean", [0.5, 0.5, float("inf")]),
        ("mean", "abc"),
        ("std", [0.2, 0.2, 0]),
        ("channels", "RBG"),
        ("channels", ["RGB"]),
        ("upright", None),
    ],
)
def test_a_wrong_setting_is_refused_by_name(key, value):
    with pytest.raises(SettingError, match=key):
        Preprocess.from_json({**Preprocess().to_json(), key: value})


def test_not_an_object_is_refused():
    with pytest.raises(SettingError, match="expected an object"):
        Preprocess.from_json([224])


def test_the_file_can_be_copied_into_a_bundle():
    tree = ast.parse(Path(linnet.data.preprocess.__file__).read_text())
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert {node.module for node in nodes if getattr(node, "level", 0)} == {"errors", "image"}
    others = {
        (getattr(n, "module", None) or n.names[0].name).split(".")[0] for n in nodes if not getattr(n, "level", 0)
    }
    assert others - set(sys.stdlib_module_names) == {"numpy", "PIL"}
