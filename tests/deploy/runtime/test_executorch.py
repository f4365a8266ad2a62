"""ExecuTorch's own; what it has in common with LiteRT is in test_one_image.py."""

import sys

import numpy as np
import pytest

from linnet.deploy.runtime.executorch import convert, load_executorch
from linnet.deploy.runtime.known import RUNTIMES, is_here
from linnet.errors import SettingError
from linnet.weights.model import read_model


def test_what_is_known_of_it(monkeypatch):
    """Also where it is not installed."""
    known = RUNTIMES["executorch"]
    assert (known.files, known.precisions, known.batch) == (("model.pte",), ("fp32", "int8"), "1")
    assert known.shape(64, "float32") == "[1, 3, 64, 64]"
    assert known.install == 'pip install "linnet-vision[executorch]"'
    monkeypatch.setitem(sys.modules, "executorch.runtime", None)
    with pytest.raises(
        SettingError, match=r"ExecuTorch is not installed\. Install it with: pip install executorch torch"
    ):
        load_executorch(b"")


@pytest.mark.skipif(
    not is_here("executorch"), reason='ExecuTorch is not installed: pip install "linnet-vision[executorch]"'
)
def test_models_beside_each_other_and_after_each_other(run, tmp_path):
    """The threads are the process': other numbers of them are refused while a model is open, which would answer wrongly."""
    model, path = read_model(run), tmp_path / "model.pte"
    convert(model.net(), model.preprocess, path)
    file = path.read_bytes()
    assert b"XnnpackBackend" in file, "its convolutions are XNNPACK's"
    x = np.random.default_rng(0).standard_normal((1, 3, 64, 64)).astype(np.float32)
    first = load_executorch(file, threads=1)
    answer = first(x)
    second = load_executorch(bytes(bytearray(file)), threads=1)
    for answers in (second, first, second):
        assert np.array_equal(answers(x), answer)
    with pytest.raises(SettingError, match="has a model open with 1 threads, so one with 2 cannot be opened beside it"):
        load_executorch(file, threads=2)
    del first, second, answers
    assert np.allclose(load_executorch(file, threads=2)(x), answer, atol=1e-5)
