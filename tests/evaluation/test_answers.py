from __future__ import annotations

import json

import pytest
import torch

from linnet.arch.names import find
from linnet.data.doctor import examine
from linnet.data.preprocess import Preprocess
from linnet.data.source import find_photos
from linnet.evaluation.answers import fresh_answers, shares_of, stored_answers
from linnet.evaluation.evaluate import evaluate_model
from linnet.files import write_json
from linnet.nn.build import build
from linnet.weights.model import Model, read_model, write_model


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    import numpy as np
    from PIL import Image

    root, rng = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for split, n in (("train", 3), ("test", 5)):
        for name in ("cat", "dog"):
            (root / split / name).mkdir(parents=True)
            for i in range(n):
                Image.fromarray(rng.integers(0, 255, (32, 32, 3), dtype=np.uint8)).save(
                    root / split / name / f"{i}.png"
                )
    return find_photos(root)


@pytest.fixture(scope="module")
def run(photos, tmp_path_factory):
    """A run's folder with a model whose classes are in an order of their own, and what `fit` writes beside it."""
    place = tmp_path_factory.mktemp("run")
    torch.manual_seed(0)
    arch = find("mobilenetv3_small_035").with_classes(2)
    model = Model(arch, ("dog", "cat"), Preprocess(image=32), build(arch).state_dict())
    write_model(place / "best.safetensors", model)
    write_json(place / "recipe.json", {"validation": 0.2, "test": 0.3})
    write_json(place / "data.json", examine(photos).to_json())
    write_json(place / "predictions.json", evaluate_model(model, photos, name="run", workers=0).to_json())
    return place


def test_what_was_written_down_is_what_the_model_says_now(run, photos):
    stored, fresh = stored_answers(run, "test"), fresh_answers(run, photos, "test", batch=4, workers=0)
    assert stored is not None
    assert stored.by_digest == fresh.by_digest
    assert fresh.by_digest.keys() == {photo.digest for photo in photos.test}
    for photo in photos.test:
        answer = fresh.by_digest[photo.digest]
        assert answer.label == photos.classes[photo.label] == photo.path.parent.name
        assert answer.predicted in ("cat", "dog")


@pytest.mark.parametrize("form", ["elsewhere", "roundabout"])
def test_answers_are_found_again_however_a_csv_says_its_paths(run, photos, tmp_path, form):
    root = tmp_path / "list"
    root.mkdir()
    (root / "gone").mkdir()
    rows = []
    for split in ("train", "test"):
        for n, photo in enumerate(photos.splits[split]):
            path = photo.path
            if form == "roundabout":
                path = root / "gone" / ".." / f"{split}{n}.png"
                path.write_bytes(photo.path.read_bytes())
                path = path.relative_to(root)
            rows.append(f"{path},{photos.classes[photo.label]},{split}")
    (root / "photos.csv").write_text("path,label,split\n" + "\n".join(rows) + "\n")
    found = find_photos(root / "photos.csv")
    model = read_model(run)
    write_json(tmp_path / "data.json", examine(found).to_json())
    write_json(tmp_path / "predictions.json", evaluate_model(model, found, name="run", workers=0).to_json())
    stored = stored_answers(tmp_path, "test")
    assert stored is not None
    assert stored.by_digest.keys() == {photo.digest for photo in photos.test}


def test_of_another_split_or_of_no_known_photos_nothing_was_written_down(run, tmp_path):
    assert stored_answers(run, "validation") is None
    assert stored_answers(tmp_path, "test") is None
    for name in ("predictions.json", "data.json"):
        (tmp_path / name).write_bytes((run / name).read_bytes())
    assert stored_answers(tmp_path, "test") is not None
    data = json.loads((run / "data.json").read_text())
    data["files"]["test"].pop()
    write_json(tmp_path / "data.json", data)
    assert stored_answers(tmp_path, "test") is None


def test_shares_of_a_run_and_of_a_bundle(run, tmp_path):
    assert shares_of(run) == {"validation": 0.2, "test": 0.3}
    write_json(tmp_path / "bundle.json", {"facts": {"recipe": {"validation": 0.1, "test": 0.05}}})
    assert shares_of(tmp_path) == {"validation": 0.1, "test": 0.05}
    assert shares_of(tmp_path / "nothing") == {}
