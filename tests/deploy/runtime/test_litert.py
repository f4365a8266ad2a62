"""LiteRT's own; what it has in common with ExecuTorch is in test_one_image.py."""

import sys

import numpy as np
import pytest

from linnet.deploy.runtime.known import RUNTIMES, is_here
from linnet.deploy.runtime.litert import convert, load_litert
from linnet.errors import SettingError
from linnet.weights.model import read_model


def test_what_is_known_of_it(monkeypatch):
    """Also where it is not installed."""
    known = RUNTIMES["litert"]
    assert (known.files, known.precisions, known.batch) == (("model.tflite",), ("fp32", "int8"), "1")
    assert known.shape(64, "float32") == known.shape(64, "uint8") == "[1, 64, 64, 3]"
    assert known.install == 'pip install "linnet-vision[litert]"'
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(SettingError, match=r"LiteRT is not installed\. Install it with: pip install ai-edge-litert"):
        load_litert(b"")


@pytest.mark.skipif(
    not (is_here("ai_edge_litert") and is_here("litert_torch")),
    reason='LiteRT is not installed: pip install "linnet-vision[litert]"',
)
def test_the_file_takes_channels_last(run, tmp_path):
    from ai_edge_litert.interpreter import Interpreter

    model, path = read_model(run), tmp_path / "model.tflite"
    convert(model.net(), model.preprocess, path)
    (images,) = Interpreter(model_content=path.read_bytes()).get_input_details()
    assert images["shape"].tolist() == [1, 64, 64, 3]
    assert images["dtype"] == np.float32
