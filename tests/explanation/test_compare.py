from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from pages import check_inert

from linnet.errors import DataError, SettingError
from linnet.evaluation.answers import Answer, Answered
from linnet.explanation.compare import compare, compared, plain_name, shown_p
from linnet.explanation.side import Side

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
