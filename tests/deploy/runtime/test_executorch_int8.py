import numpy as np
import pytest
import torch
from torch import nn

from linnet.deploy.int8.gate import divergence
from linnet.deploy.runtime.executorch import load_executorch
from linnet.deploy.runtime.known import is_here

pytestmark = pytest.mark.skipif(
    not is_here("executorch"), reason='ExecuTorch is not installed: pip install "linnet-vision[executorch]"'
)


@pytest.fixture(scope="module")
def prepared(sure):
    from linnet.deploy.runtime.executorch_int8 import prepare

    return prepare(sure[0], sure[1], sure[2])


@pytest.mark.parametrize("setting", ["histogram", "widest"])
def test_int8_answers_nearly_as_the_network(setting, sure, prepared, capfd):
    from linnet.deploy.runtime.executorch_int8 import SETTINGS, quantise

    assert setting in SETTINGS
    (file,) = quantise(prepared, setting)
    found = np.concatenate([load_executorch(file, threads=1)(batch) for batch in sure[2]])
    with torch.no_grad():
        wanted = np.concatenate([sure[0](torch.from_numpy(batch)).numpy() for batch in sure[2]])
    assert (wanted.argmax(1) == found.argmax(1)).mean() > 0.85
    assert 0 < divergence(wanted, found) < 0.2
    targets = [str(node.target) for node in prepared.made[file].graph.nodes]
    layers = sum(isinstance(m, nn.Conv2d | nn.Linear) for m in sure[0].modules())
    assert sum("dequantize_per_channel" in target for target in targets) == layers, sorted(set(targets))
    assert capfd.readouterr().out == ""


def test_a_layer_that_is_left_in_float_is_larger(sure, prepared):
    from linnet.deploy.runtime.executorch_int8 import quantise

    whole, part = quantise(prepared, "widest")[0], quantise(prepared, "widest", {"head.conv"})[0]
    numbers = sure[0].get_submodule("head.conv").weight.numel()
    assert len(part) - len(whole) == pytest.approx(3 * numbers, rel=0.25)


def test_layers_have_the_same_names_with_pixels_inside(sure):
    """What normalises is never rounded, and a layer left in float is found behind it."""
    from linnet.deploy.runtime.executorch_int8 import prepare, quantise

    net, preprocess, _, _ = sure
    pixels = np.random.default_rng(0).integers(0, 256, (4, preprocess.image, preprocess.image, 3), np.uint8)
    given = prepare(net, preprocess, [pixels], uint8=True)
    whole, part = quantise(given, "widest")[0], quantise(given, "widest", {"head.conv"})[0]
    assert len(part) > len(whole)
    with torch.no_grad():
        wanted = net(torch.from_numpy(preprocess.normalise(pixels))).numpy()
    assert divergence(wanted, load_executorch(whole, threads=1)(pixels)) < 0.5
