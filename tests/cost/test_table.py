from __future__ import annotations

import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from linnet.cost.table import table
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
        ({"name": "efficientnet_b0", "format": "txt"}, "text, markdown, html, json. Did you mean 'text'"),
        ({"name": "efficientnet_b0", "image": 0}, "image is 0"),
        ({"name": "efficientnet_b0", "classes": 0}, "classes is 0"),
        ({"name": "efficientnet_b0", "width": -1.0}, "width is -1.0"),
    ],
)
def test_what_cannot_be_shown_is_refused_in_one_line(arguments: dict[str, object], said: str) -> None:
    with pytest.raises(SettingError) as error:
        table(**arguments)  # type: ignore[arg-type]
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_the_verb_can_be_imported_without_torch() -> None:
    code = "import sys, linnet.cost.table; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
