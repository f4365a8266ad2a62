from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from linnet.evaluation.label_metrics import measure_several
from linnet.explanation import labels
from linnet.explanation.folder import photos_in, read_run
from linnet.explanation.report import render, report
from linnet.explanation.section import Missing

NAMES = ["beach", "dog", "<img onerror=1>"]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run whose photos have several labels: 20 test photos, and three epochs of which the last is the best."""
    rng = np.random.default_rng(0)
    truth = (rng.random((20, 3)) < 0.4).astype(np.uint8)
    logits = rng.normal(0, 1, (20, 3)) + 2 * truth - 1
    shares = 1 / (1 + np.exp(-logits))
    items = [
        {
            "path": f"{n}.jpg",
            "labels": truth[n].nonzero()[0].tolist(),
            "predicted": (logits[n] >= 0).nonzero()[0].tolist(),
            "probabilities": shares[n].round(6).tolist(),
        }
        for n in range(20)
    ]
    value = {"split": "test", "classes": NAMES, "several": True, "metrics": measure_several(logits, truth, draws=100).to_json(), "items": items}  # fmt: skip
    (tmp_path / "predictions.json").write_text(json.dumps(value))
    data = {
        "classes": NAMES,
        "counts": {"train": dict.fromkeys(NAMES, 30)},
        "files": {"train": [["a.jpg", [0, 1], "0"]] * 40},
    }
    (tmp_path / "data.json").write_text(json.dumps(data))
    lines = [
        {"kind": "epoch", "epoch": n, "phase": 0, "image": 64, "train_loss": 0.5, "lr": 0.001, "seconds": 1.0,
         "train_labels_right": 0.8, "validation": {"mean_average_precision": 0.5 + n / 10, "loss": 0.4, "n": 9}}
        for n in range(3)
    ]  # fmt: skip
    lines.append({"kind": "end", "raw": {"mean_average_precision": 0.65, "loss": 0.5, "n": 9}, "dead": []})
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return tmp_path


def test_the_report_goes_label_by_label(run: Path) -> None:
    page = report(run).read_text(encoding="utf-8")
    assert "3 labels, mean average precision" in page
    assert "Each label is a question of yes or no by itself" in page
    assert "Left out: " not in page
    assert ">average</th>" in page
    assert "<img onerror" not in page
    assert "Mean average precision over epochs" in page
    assert "averaged weights on the 9 validation photos was 70.0" in page
    assert "It looks for" in page


def test_the_weakest_label_comes_first(run: Path) -> None:
    values = labels.per_label(read_run(run))
    shares = [float(row["average"].split("\u00a0")[0].split(" ")[0]) for row in values["first"]]
    assert shares == sorted(shares)
    assert {row["name"] for row in values["first"]} == set(NAMES)


def test_mistakes_say_all_labels_of_both_sides(run: Path) -> None:
    found = read_run(run)
    values = labels.mistakes(found)
    items = [item for item in found.predictions["items"] if item["labels"] != item["predicted"]]
    assert values["wrong"] == str(len(items))
    worst = max(items, key=labels.surest)
    assert values["cards"][0]["given"] == (", ".join(NAMES[c] for c in worst["labels"]) or "no label")
    assert labels.surest({"labels": [0], "predicted": [1], "probabilities": [0.3, 0.6, 0.99]}) == 0.7


def test_photos_are_counted_not_labels(run: Path) -> None:
    assert photos_in(read_run(run).data, "train") == 40


def test_what_is_not_measured_says_so(run: Path) -> None:
    with pytest.raises(Missing, match="one label"):
        labels.calibration(read_run(run))


def test_a_run_of_one_label_has_its_confusion_matrix(make_run) -> None:
    found = read_run(make_run())
    assert not labels.several(found)
    assert "confusion matrix" in render(found)
