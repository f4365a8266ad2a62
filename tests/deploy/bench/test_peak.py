import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from linnet.deploy.bench import peak
from linnet.deploy.bench.peak import most_so_far, open_any, peak_memory
from linnet.deploy.bundle import read_bundle

IMAGES = np.zeros((1, 3, 64, 64), np.float32)

knows = pytest.mark.skipif(most_so_far() == 0, reason="this system does not say what a process takes")


@pytest.fixture(scope="module")
def model(sealed):
    return read_bundle(sealed).read("model.onnx")


@knows
def test_a_runtime_takes_more_than_python_alone(model):
    found = peak_memory("onnx", "fp32", [model], IMAGES)
    assert found is not None
    assert 10e6 < found.before_bytes < found.peak_bytes < 1e9
    assert found.peak_bytes > found.before_bytes + len(model), "the model is in memory"
    assert found.to_json() == {"peak_bytes": found.peak_bytes, "before_bytes": found.before_bytes}


@knows
def test_larger_images_take_more_and_this_process_does_not_count(model):
    held = np.ones(60_000_000, np.float32)  # 240 MB here must not show there
    small = peak_memory("onnx", "fp32", [model], IMAGES)
    large = peak_memory("onnx", "fp32", [model], np.zeros((256, 3, 64, 64), np.float32))
    assert held.sum() > 0
    assert small is not None
    assert large is not None
    assert small.before_bytes < 150e6
    assert large.peak_bytes > small.peak_bytes + 256 * IMAGES.nbytes / 2


@knows
def test_a_certificate_states_it(sealed):
    said = read_bundle(sealed).certificates[0]["memory"]
    assert 10e6 < said["before_bytes"] < said["peak_bytes"] < 1e9


def test_a_process_that_fails_says_nothing(monkeypatch):
    assert peak_memory("onnx", "fp32", [b"no model"], IMAGES) is None
    assert peak_memory("nonsense", "fp32", [b""], IMAGES) is None
    monkeypatch.setattr(peak, "SECONDS", 0.001)
    assert peak_memory("onnx", "fp32", [b"no model"], IMAGES) is None


def test_the_process_is_small(model):
    """It measures the runtime, so nothing of ours that is large may be in it."""
    code = (
        "import sys, linnet.deploy.bench.peak; print(sorted({'torch', 'onnx', 'linnet.nn.build'} & set(sys.modules)))"
    )
    root = Path(peak.__file__).parents[3]
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert said.stdout.strip() == "[]"


def test_runtimes_open_as_ever(model):
    assert open_any("onnx", "fp32", [model], threads=1)(IMAGES).shape == (1, 4)


def test_where_no_process_can_be_started_nothing_is_said(monkeypatch):
    def refuses(*a, **k):
        raise OSError("Cannot allocate memory")

    monkeypatch.setattr(subprocess, "run", refuses)
    assert peak_memory("onnx", "fp32", [b"no model"], IMAGES) is None
