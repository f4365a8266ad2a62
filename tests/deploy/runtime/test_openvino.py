import ctypes
import sys

import numpy as np
import pytest
import torch

from linnet.deploy.runtime.known import is_here
from linnet.deploy.runtime.openvino import convert, load_openvino
from linnet.errors import SettingError, WeightsError
from linnet.weights.model import read_model

pytestmark = pytest.mark.skipif(not is_here("openvino"), reason="openvino is not installed: pip install openvino")


@pytest.fixture(scope="module")
def model(run):
    return read_model(run)


@pytest.fixture(scope="module")
def files(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("openvino")
    convert(model.net(), model.preprocess, folder / "model.xml")
    assert sorted(path.name for path in folder.iterdir()) == ["model.bin", "model.xml"]
    return (folder / "model.xml").read_bytes(), (folder / "model.bin").read_bytes()


def images(batch):
    return torch.randn(batch, 3, 64, 64, generator=torch.Generator().manual_seed(batch))


@pytest.mark.parametrize("batch", [1, 2, 7])
def test_logits_equal_pytorch_for_any_batch(model, files, batch):
    x = images(batch)
    logits = load_openvino(*files, threads=1)(x.numpy())
    assert logits.dtype == np.float32
    with torch.no_grad():
        assert np.allclose(logits, model.net()(x).numpy(), atol=1e-4, rtol=1e-4)


def test_an_answer_is_not_overwritten_by_the_next(files):
    run = load_openvino(*files, threads=1)
    first = run(images(1).numpy())
    kept = first.copy()
    run(images(1).numpy() + 1)
    assert np.array_equal(first, kept)


def test_pixels_go_in_with_the_normalisation_inside(model, tmp_path):
    convert(model.net(), model.preprocess, tmp_path / "model.xml", uint8=True)
    run = load_openvino((tmp_path / "model.xml").read_bytes(), (tmp_path / "model.bin").read_bytes(), threads=1)
    pixels = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), np.uint8)
    with torch.no_grad():
        wanted = model.net()(torch.from_numpy(model.preprocess.normalise(pixels))).numpy()
    assert np.allclose(run(pixels), wanted, atol=1e-4, rtol=1e-4)


def test_bfloat16_is_near_or_refused(model, files):
    x = images(4)
    try:
        run = load_openvino(*files, precision="bf16", threads=1)
    except SettingError as error:
        if "does not compute in bfloat16" not in str(error):
            raise
        return
    with torch.no_grad():
        wanted = model.net()(x).numpy()
    off = np.abs(run(x.numpy()) - wanted).max() / np.abs(wanted).max()
    assert 1e-6 < off < 0.1


@pytest.mark.parametrize("harm", ["xml", "bin", "no bin"])
def test_damaged_files_give_one_line(files, harm):
    xml, numbers = files
    given = {"xml": (xml[: len(xml) // 2], numbers), "bin": (xml, numbers[:1000]), "no bin": (xml, b"")}[harm]
    with pytest.raises(WeightsError, match="The OpenVINO file is damaged") as caught:
        load_openvino(*given)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(sys.platform != "linux", reason="the stack of signal handlers is asked of Linux")
def test_models_that_come_and_go_leave_the_signal_stack_alone(files):
    """A stale one ends the process at the next signal that Python handles."""

    def signal_stack() -> bytes:
        asked = ctypes.create_string_buffer(24)
        ctypes.CDLL(None).sigaltstack(None, asked)
        return asked.raw

    before = signal_stack()
    first, second = load_openvino(*files, threads=1), load_openvino(*files, threads=1)
    assert signal_stack() == before
    del first
    assert signal_stack() == before
    del second
    assert signal_stack() == before


def test_nothing_is_reported_to_its_makers(files, monkeypatch):
    """OpenVINO's telemetry sends an event at every import; without its package a stub takes its place."""
    monkeypatch.delitem(sys.modules, "openvino_telemetry", raising=False)  # whoever else has set it
    load_openvino(*files, threads=1)
    assert sys.modules["openvino_telemetry"] is None


def test_nothing_of_this_machine_is_in_the_files(files, tmp_path_factory):
    for data in files:
        assert str(tmp_path_factory.getbasetemp()).encode() not in data
        assert b"site-packages" not in data
