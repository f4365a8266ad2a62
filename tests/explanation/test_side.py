from __future__ import annotations

import json

import pytest

from linnet.errors import SettingError
from linnet.explanation.side import read_side


def test_a_run_with_its_bundle_says_what_it_costs_and_how_it_learnt(make_run):
    side = read_side(make_run())
    assert side.arch == "mobilenetv3_small_100"
    assert (side.image, side.params, side.size_bytes) == (160, 1_528_106, 6_112_345)
    assert side.madds is not None
    assert side.latency is not None
    assert (side.latency.median_ms, side.latency.runtime, side.latency.threads) == (2.71, "ONNX Runtime fp32", 2)
    assert side.train_seconds == 8 * 21.5
    assert [(epoch, minutes) for epoch, minutes, _ in side.curve][:2] == [(1, 0.3583), (2, 0.7167)]
    assert len(side.losses) == 8
    json.dumps(side.to_json())


def test_what_is_not_known_is_none(make_run):
    run = make_run()
    for part in ("recipe.json", "run.linnet/bundle.json", "log.jsonl"):
        (run / part).unlink()
    side = read_side(run)
    assert (side.params, side.madds, side.latency, side.train_seconds, side.curve) == (None, None, None, None, ())


def test_nothing_of_a_run_is_an_error(tmp_path):
    with pytest.raises(SettingError):
        read_side(tmp_path)
