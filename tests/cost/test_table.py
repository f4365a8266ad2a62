from __future__ import annotations

import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from linnet.arch.steps import STEPS
from linnet.cost.need import TrainMemory
from linnet.cost.table import StepTable, table
from linnet.errors import SettingError

GOLDEN = Path(__file__).parents[1] / "golden"
TABLES = runpy.run_path(str(GOLDEN / "rewrite.py"))["TABLES"]


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_the_golden_one(name: str) -> None:
    """If the change is wanted: `make golden`, and look at the difference."""
    assert f"{TABLES[name]()}\n" == (GOLDEN / name).read_text(encoding="utf-8")


def test_the_text_says_what_the_paper_says_and_what_it_costs() -> None:
    lines = str(table("efficientnet_b0")).splitlines()
    stage = next(line for line in lines if line.startswith("stages.1")).split()
    assert stage == [
        "stages.1",
        "MBConv(t=6,",
        "k=3,",
        "se=0.25)",
        "56x56",
        "24",
        "2",
        "2",
        "16,714",
        "1,056",
        "54,945,216",
    ]
    assert "arXiv 1905.11946, Table 1" in lines[0]
    assert "5,330,564" in lines[-1]


@pytest.mark.parametrize(
    "name", ["mobilenetv3_large_100", "efficientnet_l2", "efficientnetv2_rw_s", "efficientnetv2_xl"]
)
def test_a_text_table_fits_a_terminal(name: str) -> None:
    assert max(map(len, str(table(name)).splitlines())) <= 110


def test_json_holds_every_count() -> None:
    whole = json.loads(str(table("mobilenetv3_small_100", image=96, classes=7, format="json")))
    assert whole == table("mobilenetv3_small_100", image=96, classes=7).to_json()
    assert whole["image"] == [96, 96]
    assert whole["rows"][-1]["output"] == [7]
    assert whole["rows"][-1]["params"] == 1024 * 7 + 7
    assert sum(row["madds"] for row in whole["rows"]) == whole["total"]["madds"]
    assert whole["arch"]["name"] == "mobilenetv3_small_100"


def test_width_and_depth_scale_by_the_familys_rule() -> None:
    scaled, b2 = (
        t.counts.total for t in (table("efficientnet_b0", width=1.1, depth=1.2, image=260), table("efficientnet_b2"))
    )
    assert (scaled.params, scaled.madds) == (b2.params, b2.madds)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"name": "efficientnet-lite-0"}, "Did you mean 'efficientnet_lite0'"),
        (
            {"name": "efficientnet_b0", "format": "txt"},
            "text, markdown, html, json, timm, tensorflow. Did you mean 'text'",
        ),
        ({"name": "efficientnet_b0", "image": 0}, "image is 0"),
        ({"name": "efficientnet_b0", "classes": 0}, "classes is 0"),
        ({"name": "efficientnet_b0", "width": -1.0}, "width is -1.0"),
        ({}, "give the NAME of a network, such as efficientnet_b0, or --steps"),
        ({"name": "efficientnet_b0", "steps": "fused"}, "leave out NAME or --steps"),
        ({"steps": "conv-next"}, "Did you mean 'convnext'"),
        ({"steps": "convnext", "image": 288}, "leave out --image"),
        ({"steps": "convnext", "format": "csv"}, "no format"),
        ({"steps": "convnext", "format": "timm"}, "for one network"),
        ({"name": "resnet18", "batch": 64}, "add --train-memory"),
        ({"name": "resnet18", "precision": "bf16"}, "add --train-memory"),
        ({"name": "resnet18", "train_memory": True, "format": "markdown"}, "leave out --steps and --format"),
        ({"steps": "convnext", "train_memory": True}, "leave out --steps"),
    ],
)
def test_what_cannot_be_shown_is_refused_in_one_line(arguments: dict[str, object], said: str) -> None:
    with pytest.raises(SettingError) as error:
        table(**arguments)  # type: ignore[arg-type]
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_steps_show_what_is_counted_beside_what_the_paper_says() -> None:
    lines = str(table(steps="convnext")).splitlines()
    assert "arXiv 2201.03545, Table 10" in lines[0]
    assert lines[2].split("  ")[-1].strip() == "paper's top-1"
    first = next(line for line in lines if line.startswith("ResNet-50"))
    assert first.split()[-4:] == ["25,557,032", "4,089,184,256", "4.09", "76.13"]
    kernel = next(line for line in lines if line.startswith("kernel 5"))
    assert kernel.split()[-2:] == ["4.10", "80.35"]  # as printed, not 4.1
    assert "last two" in "\n".join(lines[-5:])


@pytest.mark.parametrize("name", STEPS)
def test_steps_come_in_every_format(name: str) -> None:
    steps = STEPS[name]
    text, markdown, page = (str(table(steps=name, format=form)) for form in ("text", "markdown", "html"))
    assert max(map(len, text.splitlines())) <= 110
    for step in steps.rows:
        assert f"\n{step.name} " in text
        assert f"\n| {step.name} |" in markdown
        assert f"<tr><td>{step.name.replace(chr(39), '&#x27;')}</td>" in page
    whole = json.loads(str(table(steps=name, format="json")))
    assert whole == table(steps=name).to_json()
    assert [row["paper"]["top1"] for row in whole["steps"]] == [step.top1 for step in steps.rows]
    assert [row["arch"]["name"] for row in whole["steps"]] == [step.arch.name for step in steps.rows]
    assert all(row["counted"]["params"] > 10**6 for row in whole["steps"])


def test_columns_in_which_no_paper_says_anything_are_left_out() -> None:
    columns = {name: table(steps=name).sheet().columns for name in STEPS}
    figures = ("paper's G MAdds", "paper's top-1")
    assert columns["convnext"] == ("step", "params", "MAdds", *figures)
    assert columns["fused"] == ("step", "params", "MAdds", "paper's M params", *figures)
    assert columns["compound"] == ("step", "image", "params", "MAdds", *figures)
    assert columns["mobilevit-patch"] == ("step", "params", "MAdds", "attention", "paper's M params", "paper's top-1",
                                          "paper's ms")  # fmt: skip
    assert isinstance(table(steps="Mobilevit_patch"), StepTable)


def test_the_verb_can_be_imported_without_torch() -> None:
    code = "import sys, linnet.cost.table; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


def test_stages_as_block_strings() -> None:
    assert str(table("efficientnet_b0", format="timm")).splitlines()[0] == "ds_r1_k3_s1_e1_c16_se0.25"
    assert str(table("efficientnet_b0", format="tensorflow")).splitlines()[-1] == "r1_k3_s11_e6_i192_o320_se0.25"
    with pytest.raises(SettingError, match="no word for"):
        str(table("resnet50", format="timm"))


def test_the_memory_of_a_training_step_in_place_of_costs() -> None:
    found = table("mobilenetv3_small_050", train_memory=True, batch=4, image=64, classes=10)
    assert isinstance(found, TrainMemory)
    assert (found.batch, found.image, found.arch.classes) == (4, 64, 10)
    assert [name for name, _ in found.rows] == list(found.arch.row_names)
    for wrong in ({"batch": 1}, {"precision": "fp16"}):
        with pytest.raises(SettingError, match="fp32 or bf16"):
            table("mobilenetv3_small_050", train_memory=True, **wrong)  # type: ignore[call-overload]
