import json
from dataclasses import replace

import pytest

from linnet.explanation.folder import read_run
from linnet.explanation.history import curves, training
from linnet.explanation.report import report
from linnet.explanation.section import Missing


def test_the_phases_show_what_is_on_and_name_what_is_off(make_run):
    values = training(read_run(make_run(n=40)))
    assert values["columns"] == ["epochs", "image, px", "batch", "RandAugment", "dropout"]
    assert values["phases"][0] == ["1", "2", "96", "64", "5", "0.1"]
    assert values["phases"][3] == ["4", "2", "160", "32", "15", "0.3"]
    assert values["off"] == ["mixup", "cutmix", "erasing", "drop path"]
    facts = dict(values["facts"])
    assert facts["optimiser"] == "adamw: lr 0.002, betas 0.9 and 0.999, eps 10⁻⁸, weight decay 0.05"
    assert facts["average of weights (EMA)"] == "0.9999"
    assert values["measured"][2] == ("channels-last bf16", "440")
    assert values["notes"] == ["Epoch 7 was the best by validation."]


def test_a_phase_of_two_sizes_and_a_factor_has_its_column(make_run):
    run = make_run(n=40)
    recipe = json.loads((run / "recipe.json").read_text())
    recipe["phases"] = [recipe["phases"][0] | {"lr_factor": 0.1, "mixup": 0.2, "dropout": 0, "randaugment": 0}]
    (run / "recipe.json").write_text(json.dumps(recipe))
    assert training(read_run(run))["columns"] == ["epochs", "image, px", "batch", "mixup", "rate ×"]


def test_frozen_rows_are_a_column_where_some_are_frozen_and_nowhere_else(make_run):
    run = make_run(n=40)
    assert "frozen rows" not in str(training(read_run(run)))
    recipe = json.loads((run / "recipe.json").read_text())
    for phase, rows in zip(recipe["phases"], (18, 0, 0, 0), strict=True):
        phase["freeze"] = rows
    (run / "recipe.json").write_text(json.dumps(recipe))
    values = training(read_run(run))
    assert values["columns"][-1] == "frozen rows"
    assert [row[-1] for row in values["phases"]] == ["18", "0", "0", "0"]
    assert '<th scope="col">frozen rows</th>' in report(run).read_text(encoding="utf-8")


def test_six_curves_over_the_same_epochs(make_run):
    values = curves(read_run(make_run(n=40)))
    assert [name for name, _ in values["drawings"]] == [
        "Loss",
        "Accuracy",
        "Image size",
        "Learning rate",
        "Throughput",
        "Gradient norm",
    ]
    for _, svg in values["drawings"]:
        assert ">8</text>" in svg  # the axis ends with the last epoch
        assert svg.count('class="change"') == 3  # four phases
    assert ">300</text>" in values["drawings"][4][1]  # images/s, at the line's end
    loss = values["drawings"][0][1]
    assert "validation, epoch 8: 0.255" in loss
    assert values["has_band"]


def test_a_run_that_was_stopped_in_its_first_epoch_has_curves(make_run):
    run = read_run(make_run(n=40))
    started = replace(run, epochs=(), steps=run.steps[:7])
    assert [name for name, _ in curves(started)["drawings"]] == [
        "Loss",
        "Image size",
        "Learning rate",
        "Throughput",
        "Gradient norm",
    ]
    with pytest.raises(Missing):
        curves(replace(run, epochs=(), steps=()))
