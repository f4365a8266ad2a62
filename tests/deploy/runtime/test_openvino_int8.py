import numpy as np
import pytest
import torch

from linnet.deploy.int8.gate import divergence
from linnet.deploy.runtime.known import is_here
from linnet.deploy.runtime.openvino import load_openvino

pytestmark = pytest.mark.skipif(
    not (is_here("openvino") and is_here("nncf")), reason='not installed: pip install "linnet-vision[openvino]"'
)


@pytest.fixture(scope="module")
def prepared(sure):
    from linnet.deploy.runtime.openvino_int8 import prepare

    return prepare(sure[0], sure[1], sure[2])


def test_int8_answers_nearly_as_the_network(sure, prepared, capfd):
    from linnet.deploy.runtime.openvino_int8 import SETTINGS, quantise

    model, weights = quantise(prepared, SETTINGS[0])
    run = load_openvino(model, weights, precision="int8", threads=1)
    found = np.concatenate([run(batch) for batch in sure[2]])
    with torch.no_grad():
        wanted = np.concatenate([sure[0](torch.from_numpy(batch)).numpy() for batch in sure[2]])
    assert (wanted.argmax(1) == found.argmax(1)).mean() > 0.85
    assert 0 < divergence(wanted, found) < 0.2
    assert len(weights) < 0.6 * sum(p.numel() * 4 for p in sure[0].parameters())  # scales and gates are float
    assert b"stages.1.0.depthwise/Conv" in model
    assert capfd.readouterr().out == ""  # NNCF would show bars of its own


def test_a_layer_that_is_left_in_float_is_larger(sure, prepared):
    from linnet.deploy.runtime.openvino_int8 import SETTINGS, quantise

    _, whole = quantise(prepared, SETTINGS[0])
    _, part = quantise(prepared, SETTINGS[0], {"head.conv"})
    numbers = sure[0].get_submodule("head.conv").weight.numel()
    assert len(part) - len(whole) == pytest.approx(3 * numbers, rel=0.1)
