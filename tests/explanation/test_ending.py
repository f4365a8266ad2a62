from __future__ import annotations

import dataclasses

import pytest

from linnet.explanation.ending import average, dead
from linnet.explanation.folder import read_run
from linnet.explanation.section import Missing, build


def test_averaged_and_raw_weights_stand_beside_each_other(make_run):
    values = average(read_run(make_run()))
    assert values["raw"] == "87.5\u00a0%"
    assert values["raw_interval"] == "84.0 to 90.5\u00a0%"
    assert values["gain"] == "4.9 points better"  # 0.9238 - 0.875
    assert values["n"] == "341"


def test_dead_channels_by_row_and_in_all(make_run):
    values = dead(read_run(make_run()))
    assert values["kinds"] == [
        ("depthwise kernels", "3", "184", "1.6\u00a0%"),
        ("BatchNorm scales", "1", "456", "0.2\u00a0%"),
    ]
    assert values["rows"] == [["stem.0", "", "1 of 16"], ["stages.0", "3 of 88", "0 of 200"]]


def test_runs_of_before_and_on_the_way_say_that_nothing_is_known(make_run):
    run = dataclasses.replace(read_run(make_run()), end={})
    for section in (average, dead):
        with pytest.raises(Missing):
            section(run)
    none = dataclasses.replace(run, end={"raw": None, "dead": []})
    assert "neither depthwise" in build(dead, none)["missing"]
    assert build(average, none)["missing"]
    broken = dataclasses.replace(run, end={"raw": {"top1": "x"}, "dead": [{"row": 1}]})
    assert build(average, broken)["missing"]
    assert "not understood" in build(dead, broken)["missing"]
