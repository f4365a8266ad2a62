import json

import numpy as np
import pytest
import torch

from linnet.deploy.choice import Choice
from linnet.deploy.int8 import quantize
from linnet.deploy.int8.calibration import Pictures
from linnet.deploy.int8.gate import judge
from linnet.deploy.int8.quantize import Trial, answers_of, fewest, quantised
from linnet.deploy.runtime import onnx_int8
from linnet.deploy.runtime.known import RUNTIMES
from linnet.errors import ProofError

LAYERS = tuple("abcdefghijklmnop")


def attempts(needed, n=100):
    """A function for `fewest`, that passes with so many layers in float, and the numbers it was asked for."""
    asked = []

    def attempt(setting, layers):
        asked.append(len(layers))
        assert tuple(layers) == LAYERS[: len(layers)]
        second = np.ones(n, bool)
        second[: 0 if len(layers) >= needed else 9] = False
        return Trial(setting, tuple(layers), (), judge(np.ones(n, bool), second, 0.5))

    return attempt, asked


@pytest.mark.parametrize("needed", range(1, 9))
def test_the_fewest_layers_that_suffice(needed):
    attempt, asked = attempts(needed)
    found = fewest(attempt, "widest", LAYERS)
    assert found is not None
    assert found.float_layers == LAYERS[:needed]
    assert len(asked) == len(set(asked)) <= 7


def test_more_than_half_of_the_layers_is_no_int8():
    attempt, asked = attempts(9)
    assert fewest(attempt, "widest", LAYERS) is None
    assert asked == [1, 2, 4, 8]
    assert fewest(attempts(1)[0], "widest", LAYERS[:1]) is None


@pytest.fixture(scope="module")
def choice(sure):
    """Photos whose labels are what the network says of them: it has all of them right."""
    net, preprocess, _, _ = sure
    pixels = np.random.default_rng(1).integers(0, 256, (48, preprocess.image, preprocess.image, 3), np.uint8)
    pixels = np.repeat(np.repeat(pixels[:, ::8, ::8], 8, 1), 8, 2)  # coarse, as pictures are
    labels = answers_of(net, preprocess, pixels).argmax(1)
    return Choice(
        Pictures("train", pixels[:16], labels[:16], "c" * 64, None, 0),
        Pictures("validation", pixels[16:], labels[16:], "d" * 64, None, 1),
        None,
    )


def make(sure, choice, monkeypatch, **changes):
    from dataclasses import replace

    prepared = changes.pop("prepared", sure[3])
    monkeypatch.setattr(onnx_int8, "prepare", lambda *_a, **_k: prepared)
    return quantised(sure[0], sure[1], RUNTIMES["onnx"], replace(choice, **changes), threads=1)


def test_what_is_within_the_gate_stays_all_int8(sure, choice, monkeypatch):
    found = make(sure, choice, monkeypatch, max_drop=20.0)
    assert found.verdict.passed
    assert found.facts["float_layers"] == []
    assert found.facts["calibration"] == {"split": "train", "n": 16, "sha256": "c" * 64, "not_read": 0}
    assert found.facts["gate"]["sha256"] == "d" * 64
    assert found.facts["gate"]["drop"]["n"] == 32
    assert found.facts["decided"] is found.verdict.decided is True  # 20 points are more than 1 - 0.05 ** (1 / 32)
    assert set(found.facts["quantiser"]["divergence"]) == set(onnx_int8.SETTINGS)
    assert found.facts["quantiser"]["setting"] == min(
        onnx_int8.SETTINGS, key=found.facts["quantiser"]["divergence"].__getitem__
    )
    assert json.dumps(found.facts, allow_nan=False)


def test_a_layer_that_costs_too_much_is_left_in_float(sure, hard, choice, monkeypatch):
    monkeypatch.setattr(onnx_int8, "SETTINGS", ("widest",))
    found = make(sure, choice, monkeypatch, prepared=hard[1], max_drop=7.0)
    layers = [one["layer"] for one in found.facts["float_layers"]]
    assert layers[0] == hard[0]
    assert found.verdict.passed
    assert found.facts["all_int8"]["passed"] is False
    assert found.facts["culprits"][0]["layer"] == hard[0]
    assert len(found.files) == 1


def test_what_cannot_be_kept_is_refused_with_the_layers_at_fault(sure, choice, monkeypatch):
    def all_wrong(*_a, **_k):
        return lambda images: np.zeros((len(images), 4), np.float32) - np.arange(4, dtype=np.float32) ** 2 * np.nan

    monkeypatch.setattr(quantize, "open_model", all_wrong)
    with pytest.raises(
        ProofError, match=r"onnx-int8 drops .*half of its layers.*most sensitive are .*--max-drop.*int8_fine_tune"
    ):
        make(sure, choice, monkeypatch)


def test_answers_are_those_of_the_network(sure):
    net, preprocess, _, _ = sure
    pixels = np.random.default_rng(2).integers(0, 256, (11, preprocess.image, preprocess.image, 3), np.uint8)
    with torch.no_grad():
        wanted = net(torch.from_numpy(preprocess.normalise(pixels))).numpy()
    assert np.allclose(answers_of(net, preprocess, pixels), wanted, atol=1e-4)
