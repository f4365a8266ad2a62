import json

import pytest

from linnet.explanation.folder import read_run
from linnet.explanation.quality import below_root, calibration, confusion, mistakes, per_class
from linnet.explanation.section import Missing


@pytest.mark.parametrize("n_classes", [2, 6, 7, 30])
def test_a_small_matrix_is_a_table(make_run, n_classes):
    run = read_run(make_run(n_classes=n_classes, n=120))
    values = confusion(run)
    matrix = run.predictions["metrics"]["confusion"]
    assert values["small"]
    assert [[int(cell[0] or 0) for cell in row[2]] for row in values["rows"]] == matrix
    assert all(row[2][i][1].startswith("right") for i, row in enumerate(values["rows"]))
    assert len(values["pairs"]) <= 3


@pytest.mark.parametrize("n_classes", [31, 100])
def test_a_large_matrix_is_a_map_with_the_worst_pairs(make_run, n_classes):
    run = read_run(make_run(n_classes=n_classes, n=600))
    values = confusion(run)
    matrix = run.predictions["metrics"]["confusion"]
    assert not values["small"]
    assert not values["rows"]
    off = sorted((n for i, row in enumerate(matrix) for j, n in enumerate(row) if i != j and n), reverse=True)
    assert [int(pair[2]) for pair in values["pairs"]] == off[:15]
    assert values["map"].count("z") >= sum(n > 0 for row in matrix for n in row)


def test_the_weakest_class_comes_first_and_a_class_without_photos_last(make_run):
    run = make_run(n=200)
    value = json.loads((run / "predictions.json").read_text())
    value["metrics"]["per_class"][3] = {
        "n": 0,
        "precision": None,
        "recall": None,
        "recall_interval": [0, 1],
        "f1": None,
    }
    value["metrics"]["per_class"][7]["f1"] = 0.01
    (run / "predictions.json").write_text(json.dumps(value))
    rows = per_class(read_run(run))["first"]
    assert (rows[0]["name"], rows[0]["f1"]) == ("shorts", "1.0\u00a0%")
    assert [rows[-1][key] for key in ("name", "f1", "recall", "interval")] == ["outwear", "–", "–", "–"]


def test_a_long_table_is_folded_and_a_slightly_long_one_is_not(make_run):
    assert len(per_class(read_run(make_run(n_classes=36, n=72)))["first"]) == 36
    folded = per_class(read_run(make_run(n_classes=90, n=90, folder="other")))
    assert (len(folded["first"]), len(folded["rest"])) == (30, 60)


def test_mistakes_come_by_confidence_and_a_missing_photo_is_said(make_run):
    run = read_run(make_run())
    values = mistakes(run)
    sure = [int(card["confidence"].split("\u00a0")[0]) for card in values["cards"]]
    assert sure == sorted(sure, reverse=True)
    assert [card["why_not"] for card in values["cards"]] == [""] * 11 + ["missing"]
    wrong = sum(i["label"] != i["predicted"] for i in run.predictions["items"])
    assert (values["wrong"], values["n"]) == (str(wrong), "372")


def test_a_run_without_mistakes_shows_none(make_run):
    run = make_run(n=20)
    value = json.loads((run / "predictions.json").read_text())
    for item in value["items"]:
        item["predicted"] = item["label"]
    (run / "predictions.json").write_text(json.dumps(value))
    assert mistakes(read_run(run))["cards"] == []
    value["items"] = []
    (run / "predictions.json").write_text(json.dumps(value))
    with pytest.raises(Missing):
        mistakes(read_run(run))


def test_too_sure_and_too_shy(make_run):
    run = make_run(n=100)
    value = json.loads((run / "predictions.json").read_text())
    for confidence, right, word in ((0.9, 60, "too_sure"), (0.6, 90, "too_shy"), (0.8, 80, "")):
        for i, item in enumerate(value["items"]):
            item |= {"label": 0, "predicted": int(i >= right), "confidence": confidence}
        (run / "predictions.json").write_text(json.dumps(value))
        found = calibration(read_run(run))
        assert [key for key in ("too_sure", "too_shy") if found[key]] == [word] * bool(word)
        assert found["drawing"].count("<circle") == 1
        assert found["gap"] == f"{abs(100 * confidence - right):.1f}"


def test_a_photo_outside_the_folder_is_called_by_its_name(make_run):
    run = read_run(make_run())
    outside = ("../../home/somebody/cat.jpg", "/home/somebody/cat.jpg")
    assert [below_root(run, path) for path in ("test/cat.jpg", *outside)] == ["test/cat.jpg", "cat.jpg", "cat.jpg"]
