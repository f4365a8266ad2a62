from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from pages import check_inert
from PIL import Image

from linnet.arch.names import find
from linnet.data.doctor import examine
from linnet.data.preprocess import Preprocess
from linnet.data.source import find_photos
from linnet.errors import DataError, SettingError
from linnet.evaluation.answers import Answer, Answered
from linnet.evaluation.evaluate import evaluate_model
from linnet.explanation.compare import answers_of, compare, compared, plain_name, shown_p
from linnet.explanation.side import Side
from linnet.files import write_json
from linnet.nn.build import build
from linnet.weights.model import Model, write_model

SIDE = Side("run", "net", None, None, None, None, None, None, (), ())


def with_digests(run, items):
    """data.json as the doctor writes it: the content of each photo, by path."""
    data = json.loads((run / "data.json").read_text())
    data["files"] = {"test": [[item["path"], item["label"], f"{i:064x}"] for i, item in enumerate(items)]}
    (run / "data.json").write_text(json.dumps(data))


@pytest.fixture
def pair(make_run):
    """Two runs over the same 372 photos: A as it is; B has seven of A's mistakes right and two of its hits wrong."""
    runs = make_run(folder="a"), make_run(folder="b")
    said = json.loads((runs[0] / "predictions.json").read_text())
    items = said["items"]
    wrong = [item for item in items if item["label"] != item["predicted"]]
    hits = [item for item in items if item["label"] == item["predicted"]]
    for run in runs:
        with_digests(run, items)
    for item in wrong[:7]:
        item["predicted"] = item["label"]
    for item in hits[:2]:
        item["predicted"] = (item["label"] + 1) % 10
    (runs[1] / "predictions.json").write_text(json.dumps(said))
    return runs


def test_two_runs_by_what_they_wrote_down(pair, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = compare(*pair)
    assert (found.paired.only_first, found.paired.only_second, found.paired.n) == (2, 7, 372)
    assert found.paired.difference == pytest.approx(5 / 372)
    assert found.paired.p == pytest.approx(2 * (1 + 9 + 36) / 512)
    assert sum(row.only_second for row in found.classes) == 7
    assert len(found.disagreements) == 9
    text = str(found)
    for words in ("No difference can be told with these 372 photos: B has +1.3 points", "p = 0.18", "only A 2, only B 7",
                  "parameters", "1.53 M", "2.71 ms", "compare-a-b.html"):  # fmt: skip
        assert words in text, words
    json.dumps(found.to_json())
    assert compare(*pair).page.name == "compare-a-b-2.html"  # nothing is overwritten
    page = check_inert((tmp_path / "compare-a-b.html").read_text(encoding="utf-8"))
    for words in ("only A is right", "McNemar", "They call 9 photos differently", "AMD EPYC 7B13"):
        assert words in page.text, words
    charts = [svg["aria-label"] for svg in page.all("svg") if svg.get("class", "").startswith("chart")]
    assert len(charts) == 3  # accuracy over epochs and over time, loss
    assert page.all("img")


def test_paths_may_be_text(pair, tmp_path):
    assert compare(*map(str, pair), out=str(tmp_path / "page.html")).page == tmp_path / "page.html"


def test_a_page_that_is_there_is_left_alone(pair, tmp_path):
    (tmp_path / "mine.html").write_text("mine")
    with pytest.raises(SettingError, match="nothing is overwritten"):
        compare(*pair, out=tmp_path / "mine.html")
    assert (tmp_path / "mine.html").read_text() == "mine"


def test_without_kept_answers_and_without_photos_it_says_what_to_give(pair):
    shutil.rmtree(pair[0].parent / "clothing")
    with pytest.raises(SettingError, match="--photos FOLDER"):
        compare(*pair, split="validation")


def answered(*predicted, label="cat"):
    return Answered("test", {str(i): Answer(label, guess, f"{i}.jpg") for i, guess in enumerate(predicted)})


def test_a_certain_difference_is_called_one():
    found = compared((SIDE, SIDE), (answered(*["dog"] * 12, "cat"), answered(*["cat"] * 13)))
    assert found.verdict.startswith("B is 92.3 points better than A (95 % interval +")
    assert "p = 0.00049" in found.verdict
    back = compared((SIDE, SIDE), (answered(*["cat"] * 13), answered(*["dog"] * 12, "cat")))
    assert back.verdict.startswith("B is 92.3 points worse than A")


def test_equal_answers_are_equally_often_right():
    found = compared((SIDE, SIDE), (answered("cat", "dog"), answered("cat", "dog")))
    assert found.verdict.startswith("They are right equally often with these 2 photos")
    assert found.disagreements == ()


def test_only_shared_photos_count_and_labels_must_agree():
    found = compared((SIDE, SIDE), (answered("cat", "dog", "cat"), answered("cat", "cat")))
    assert found.paired.n == 2
    assert any("1 photos were answered by one" in note for note in found.notes)
    with pytest.raises(DataError, match="'cat' for the first model, 'kitten'"):
        compared((SIDE, SIDE), (answered("cat"), answered("cat", label="kitten")))
    with pytest.raises(DataError, match="no photo in common"):
        compared((SIDE, SIDE), (answered("cat"), answered()))


def test_names_and_ps():
    assert shown_p(0.0391) == "0.039"
    assert shown_p(1e-9) == "less than 0.0001"
    assert plain_name(Path("/x/a b<c>.linnet")) == "a-b-c"


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """(run, root of its photos): an untrained network's answers on ten test photos, written down as `fit` does."""
    root, run, rng = tmp_path_factory.mktemp("photos"), tmp_path_factory.mktemp("run"), np.random.default_rng(0)
    for split, n in (("train", 3), ("test", 5)):
        for name in ("cat", "dog"):
            (root / split / name).mkdir(parents=True)
            for i in range(n):
                picture = Image.fromarray(rng.integers(0, 255, (32, 32, 3), dtype=np.uint8))
                picture.save(root / split / name / f"{i}.png")
    torch.manual_seed(0)
    arch, photos = find("mobilenetv3_small_035").with_classes(2), find_photos(root)
    model = Model(arch, ("dog", "cat"), Preprocess(image=32), build(arch).state_dict())
    write_model(run / "best.safetensors", model)
    write_json(run / "recipe.json", {"validation": 0.1, "test": 0.1, "photos": str(root)})
    write_json(run / "data.json", examine(photos).to_json())
    write_json(run / "predictions.json", evaluate_model(model, photos, name="run", workers=0).to_json())
    return run, root


def listed(root: Path, place: Path, *, swapped: str = "") -> Path:
    """A CSV of the photos in `root`, with the other label for the one called `swapped`."""
    rows = ["path,label,split"]
    for path in sorted(root.rglob("*.png")):
        label, split = path.parent.name, path.parent.parent.name
        if path.relative_to(root).as_posix() == swapped:
            label = {"cat": "dog", "dog": "cat"}[label]
        rows.append(f"{path},{label},{split}")
    place.mkdir()
    (place / "photos.csv").write_text("\n".join(rows) + "\n")
    return place / "photos.csv"


def test_of_the_same_photos_by_the_same_labels_nothing_is_evaluated_again(told, tmp_path, monkeypatch):
    run, root = told
    monkeypatch.setattr("linnet.evaluation.answers.fresh_answers", lambda *_, **__: pytest.fail("evaluated"))
    (one, other), place = answers_of(run, run, "test", root, 4, 0)
    assert len(one.by_digest) == len(other.by_digest) == 10
    assert place == root
    assert answers_of(run, run, "test", listed(root, tmp_path / "list"), 4, 0)[1] == tmp_path / "list"


def test_the_labels_that_are_given_count(told, tmp_path):
    run, root = told
    (one, other), place = answers_of(run, run, "test", listed(root, tmp_path / "list", swapped="test/cat/0.png"), 4, 0)
    assert one.by_digest == other.by_digest
    stored, _ = answers_of(run, run, "test", None, 4, 0)
    changed = [d for d, answer in one.by_digest.items() if answer.label != stored[0].by_digest[d].label]
    assert [one.by_digest[d].label for d in changed] == ["dog"]
    assert all(one.by_digest[d].predicted == stored[0].by_digest[d].predicted for d in one.by_digest)
    assert all((place / answer.path).is_file() for answer in one.by_digest.values()), "the page shows their pictures"


def test_what_was_not_written_down_is_asked_for(told, tmp_path):
    run, root = told
    for name in ("best.safetensors", "recipe.json"):
        shutil.copy(run / name, tmp_path / name)
    (one, other), place = answers_of(run, tmp_path, "test", None, 4, 0)
    assert one.by_digest == other.by_digest
    assert place == root
