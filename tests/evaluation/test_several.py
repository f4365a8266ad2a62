from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from linnet.arch.names import find
from linnet.data.preprocess import Preprocess
from linnet.data.source import find_photos
from linnet.errors import DataError
from linnet.evaluation.evaluate import evaluate, evaluate_model, photos_of
from linnet.evaluation.several import SeveralEvaluation, check_form
from linnet.nn.build import build
from linnet.weights.model import Model, write_model

COLOURS = ("blue", "green", "red")
PREPROCESS = Preprocess(image=16, crop=1.0)


class Channels(torch.nn.Module):
    """Says of each of red, green and blue (in this order) whether it is bright."""

    def forward(self, images):
        return images.mean((2, 3)) * 4


class Known(Model):
    def net(self):  # pyright: ignore[reportIncompatibleMethodOverride]
        return Channels()


@pytest.fixture(scope="module")
def csv(tmp_path_factory) -> Path:
    """photos.csv: 16 photos of every mixture of bright channels, each with its colours as labels; half of them test."""
    root = tmp_path_factory.mktemp("mixtures")
    rng, rows = np.random.default_rng(0), ["path,labels,split"]
    for n in range(16):
        has = [bool(n >> bit & 1) for bit in range(3)]  # red, green, blue
        pixels = np.where(has, 220, 30) + rng.integers(-20, 20, (20, 24, 3))
        Image.fromarray(pixels.astype(np.uint8)).save(root / f"{n}.png")
        names = ";".join(name for name, there in zip(("red", "green", "blue"), has, strict=True) if there)
        rows.append(f"{n}.png,{names},{'test' if n >= 8 else 'train'}")
    (root / "photos.csv").write_text("\n".join(rows))
    return root / "photos.csv"


@pytest.fixture(scope="module")
def model() -> Model:
    arch = find("mobilenetv3_small_035").with_classes(3)
    return Known(arch, ("red", "green", "blue"), PREPROCESS, build(arch).state_dict(), labels="several")


def test_labels_are_matched_by_name_and_all_are_right(csv, model):
    photos = find_photos(csv)
    assert photos.classes == COLOURS
    found = evaluate_model(model, photos, name="channels", workers=0)
    assert isinstance(found, SeveralEvaluation)
    places = [int(path.removesuffix(".png")) for path in found.paths]
    assert sorted(places) == list(range(8, 16))
    assert found.labels.tolist() == [[n >> bit & 1 for bit in range(3)] for n in places]
    m = found.metrics
    assert (m.n, m.mean_average_precision, m.exact_match, m.micro_f1, m.macro_f1) == (8, 1, 1, 1, 1)
    assert [one.n for one in m.per_label] == [4, 4, 4]


def test_json_and_text(csv, model):
    found = evaluate_model(model, find_photos(csv), name="channels", workers=0)
    value = json.loads(json.dumps(found.to_json()))
    assert value["several"] is True
    assert value["metrics"]["mean_average_precision"] == 1
    one = next(item for item in value["items"] if item["path"] == "13.png")
    assert (one["labels"], one["predicted"]) == ([0, 2], [0, 2])
    assert [share >= 0.5 for share in one["probabilities"]] == [True, False, True]
    text = str(found)
    assert "mean average precision  100.0 %   (95 % interval 100.0 to 100.0)" in text
    assert "label  photos   average  precision   recall       F1" in text
    assert "red         4   100.0 %  100.0 %  100.0 %  100.0 %" in text


def test_a_model_of_one_label_and_photos_of_several_do_not_mix(csv, model, tmp_path):
    photos = find_photos(csv)
    with pytest.raises(DataError, match="gives a photo one label, and these photos have several each"):
        evaluate_model(Model(model.arch, model.classes, PREPROCESS, model.state), photos, name="x")
    for name in ("red", "green"):
        (tmp_path / name).mkdir()
        for n in range(3):
            Image.new("RGB", (20, 20), (n, 50 * (name == "red"), 0)).save(tmp_path / name / f"{n}.png")
    with pytest.raises(DataError, match="gives a photo several labels, and these photos have one label each"):
        check_form(model, find_photos(tmp_path))


def test_classes_of_the_photos_may_be_some_of_the_models(csv):
    photos = photos_of(find_photos(csv), "test", ("green", "extra", "red", "blue"))
    assert {len(photo.multi_hot or b"") for photo in photos} == {4}
    assert {photo.labels for photo in photos if photo.path.name == "13.png"} == {(2, 3)}


def test_the_verb_reads_the_form_from_the_file(csv, tmp_path):
    arch = find("mobilenetv3_small_035").with_classes(3)
    torch.manual_seed(0)
    write_model(
        tmp_path / "best.safetensors",
        Model(arch, COLOURS, PREPROCESS.at(32), build(arch).state_dict(), labels="several"),
    )
    found = evaluate(tmp_path, csv, workers=0)
    assert isinstance(found, SeveralEvaluation)
    assert 0 < found.metrics.mean_average_precision <= 1
    assert "8 of its" not in str(found)
