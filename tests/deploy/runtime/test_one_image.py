"""What LiteRT and ExecuTorch have in common: files that take one image, behind a function that takes any number of them."""

import subprocess
import sys
from importlib import import_module

import numpy as np
import pytest
import torch

from linnet.deploy.runtime.known import RUNTIMES, is_here
from linnet.errors import WeightsError
from linnet.weights.model import read_model

SAYS = {"litert": "ai-edge-litert", "executorch": "executorch"}  # runtime -> who does not take a damaged file


@pytest.fixture(scope="module")
def model(run):
    return read_model(run)


@pytest.fixture(scope="module", params=SAYS)
def known(request):
    found = RUNTIMES[request.param]
    if not (is_here(found.module) and is_here(found.maker)):
        pytest.skip(f"{found.title} is not installed: {found.install}")
    return found


@pytest.fixture(scope="module")
def convert(known):
    return import_module(f"linnet.deploy.runtime.{known.name}").convert


@pytest.fixture(scope="module")
def load(known):
    return getattr(import_module(f"linnet.deploy.runtime.{known.name}"), f"load_{known.name}")


@pytest.fixture(scope="module")
def file(known, convert, model, tmp_path_factory):
    path = tmp_path_factory.mktemp(known.name) / known.files[0]
    convert(model.net(), model.preprocess, path)
    return path.read_bytes()


@pytest.mark.parametrize("batch", [1, 3])
def test_logits_equal_pytorch_for_any_batch(model, load, file, batch):
    x = torch.randn(batch, 3, 64, 64, generator=torch.Generator().manual_seed(batch))
    logits = load(file, threads=1)(x.numpy())
    assert logits.dtype == np.float32
    with torch.no_grad():
        assert np.allclose(logits, model.net()(x).numpy(), atol=1e-4, rtol=1e-4)


def test_pixels_go_in_with_the_normalisation_inside(model, known, convert, load, tmp_path):
    path = tmp_path / known.files[0]
    convert(model.net(), model.preprocess, path, uint8=True)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)
    with torch.no_grad():
        wanted = model.net()(torch.from_numpy(model.preprocess.normalise(pixels))).numpy()
    assert np.allclose(load(path.read_bytes(), threads=1)(pixels), wanted, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("harm", ["empty", "garbage", "half"])
def test_damaged_files_give_one_line(known, load, file, harm):
    data = {"empty": b"", "garbage": b"garbage", "half": file[: len(file) // 2]}[harm]
    with pytest.raises(WeightsError, match=f"{SAYS[known.name]} does not take the model") as caught:
        load(data)
    assert "\n" not in str(caught.value)


def test_nothing_of_this_machine_is_in_the_file(file, tmp_path_factory):
    for secret in (str(tmp_path_factory.getbasetemp()), "site-packages", "linnet/deploy"):
        assert secret.encode() not in file


def test_nothing_is_written_to_the_screen(known, file, tmp_path):
    """In a process of its own: what a library says, it says once."""
    path = tmp_path / known.files[0]
    path.write_bytes(file)
    code = (
        f"import sys, numpy as np; from linnet.deploy.runtime.{known.name} import load_{known.name} as load\n"
        "load(open(sys.argv[1], 'rb').read())(np.zeros((1, 3, 64, 64), np.float32))"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
