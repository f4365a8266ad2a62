import numpy as np
import pytest
import torch
from torch import nn

from linnet.deploy.int8.gate import divergence
from linnet.deploy.runtime.known import is_here
from linnet.deploy.runtime.litert import load_litert

pytestmark = pytest.mark.skipif(
    not is_here("litert_torch"),
    reason='LiteRT is not installed: pip install "linnet-vision[litert]"',
)


OPERATORS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


@pytest.fixture(scope="module")
def prepared(sure):
    from linnet.deploy.runtime.litert_int8 import prepare

    return prepare(sure[0], sure[1], sure[2])


def kinds_of_weights(file):
    """The types of a file's tensors that are weights of a convolution or a matrix."""
    from ai_edge_litert.interpreter import Interpreter

    made = Interpreter(model_content=file)
    inputs = [one["inputs"] for one in made._get_ops_details() if one["op_name"] in OPERATORS]
    kinds = {one["index"]: one["dtype"] for one in made.get_tensor_details()}
    return [kinds[one[1]] for one in inputs]


def test_int8_answers_nearly_as_the_network(sure, prepared, capfd):
    from linnet.deploy.runtime.litert_int8 import SETTINGS, quantise

    (file,) = quantise(prepared, SETTINGS[0])
    found = np.concatenate([load_litert(file, threads=1)(batch) for batch in sure[2]])
    with torch.no_grad():
        wanted = np.concatenate([sure[0](torch.from_numpy(batch)).numpy() for batch in sure[2]])
    assert (wanted.argmax(1) == found.argmax(1)).mean() > 0.85
    assert 0 < divergence(wanted, found) < 0.2
    kinds = kinds_of_weights(file)
    layers = sum(isinstance(m, nn.Conv2d | nn.Linear) for m in sure[0].modules())
    assert kinds.count(np.int8) >= layers, "all weights are int8"
    assert capfd.readouterr().out == ""


def test_every_layer_is_found_by_its_name(sure, prepared):
    from linnet.deploy.runtime.litert_int8 import quantise

    whole = kinds_of_weights(quantise(prepared, "moving average")[0])
    for layer in sure[3].layers:
        if any(other.startswith(f"{layer}.") for other in sure[3].layers):
            continue  # a block's sum
        kinds = kinds_of_weights(quantise(prepared, "moving average", {layer})[0])
        inside = 2 if layer.endswith(".gate") else 1
        assert whole.count(np.int8) - kinds.count(np.int8) == inside, layer
