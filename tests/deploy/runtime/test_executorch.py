import subprocess
import sys

import numpy as np
import pytest
import torch

from linnet.deploy.runtime.executorch import convert, load_executorch
from linnet.deploy.runtime.known import RUNTIMES, is_here
from linnet.errors import SettingError, WeightsError
from linnet.weights.model import read_model

here = pytest.mark.skipif(
    not is_here("executorch"), reason='ExecuTorch is not installed: pip install "linnet-vision[executorch]"'
)


@pytest.fixture(scope="module")
def model(run):
    return read_model(run)


@pytest.fixture(scope="module")
def file(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("executorch") / "model.pte"
    convert(model.net(), model.preprocess, path)
    return path.read_bytes()


def test_what_is_known_of_it(monkeypatch):
    """Also where it is not installed."""
    known = RUNTIMES["executorch"]
    assert (known.files, known.precisions, known.batch) == (("model.pte",), ("fp32",), "1")
    assert known.shape(64, "float32") == "[1, 3, 64, 64]"
    assert known.install == 'pip install "linnet-vision[executorch]"'
    monkeypatch.setitem(sys.modules, "executorch.runtime", None)
    with pytest.raises(
        SettingError, match=r"ExecuTorch is not installed\. Install it with: pip install executorch torch"
    ):
        load_executorch(b"")


@here
@pytest.mark.parametrize("batch", [1, 3])
def test_logits_equal_pytorch_for_any_batch(model, file, batch):
    """One image at a time inside; the function takes any number of them."""
    x = torch.randn(batch, 3, 64, 64, generator=torch.Generator().manual_seed(batch))
    logits = load_executorch(file, threads=1)(x.numpy())
    assert logits.dtype == np.float32
    with torch.no_grad():
        assert np.allclose(logits, model.net()(x).numpy(), atol=1e-4, rtol=1e-4)


@here
def test_its_convolutions_are_xnnpacks(file):
    assert b"XnnpackBackend" in file


@here
def test_models_beside_each_other_and_after_each_other(file):
    """The threads are the process': other numbers of them are refused while a model is open, which would answer wrongly."""
    x = np.random.default_rng(0).standard_normal((1, 3, 64, 64)).astype(np.float32)
    first = load_executorch(file, threads=1)
    answer = first(x)
    second = load_executorch(bytes(bytearray(file)), threads=1)
    for run in (second, first, second):
        assert np.array_equal(run(x), answer)
    with pytest.raises(SettingError, match="has a model open with 1 threads, so one with 2 cannot be opened beside it"):
        load_executorch(file, threads=2)
    del first, second, run
    assert np.allclose(load_executorch(file, threads=2)(x), answer, atol=1e-5)


@here
def test_pixels_go_in_with_the_normalisation_inside(model, tmp_path):
    convert(model.net(), model.preprocess, tmp_path / "model.pte", uint8=True)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)
    with torch.no_grad():
        wanted = model.net()(torch.from_numpy(model.preprocess.normalise(pixels))).numpy()
    run = load_executorch((tmp_path / "model.pte").read_bytes(), threads=1)
    assert np.allclose(run(pixels), wanted, atol=1e-4, rtol=1e-4)


@here
@pytest.mark.parametrize("harm", ["empty", "garbage", "half"])
def test_damaged_files_give_one_line(file, harm):
    data = {"empty": b"", "garbage": b"garbage", "half": file[: len(file) // 2]}[harm]
    with pytest.raises(WeightsError, match="executorch does not take the model") as caught:
        load_executorch(data)
    assert "\n" not in str(caught.value)


@here
def test_nothing_of_this_machine_is_in_the_file(file, tmp_path_factory):
    for secret in (str(tmp_path_factory.getbasetemp()), "site-packages", "linnet/deploy"):
        assert secret.encode() not in file


@here
def test_nothing_is_written_to_the_screen(file, tmp_path):
    """In a process of its own: what a library says, it says once."""
    (tmp_path / "model.pte").write_bytes(file)
    code = (
        "import sys, numpy as np; from linnet.deploy.runtime.executorch import load_executorch\n"
        "load_executorch(open(sys.argv[1], 'rb').read())(np.zeros((1, 3, 64, 64), np.float32))"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "model.pte"], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
