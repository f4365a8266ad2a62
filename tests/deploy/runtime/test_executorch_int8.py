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
    from linnet.deploy.runtime.executorch_int8 import SETTINGS, quantise, rounded

    assert setting in SETTINGS
    (file,) = quantise(prepared, setting)
    found = np.concatenate([load_executorch(file, threads=1)(batch) for batch in sure[2]])
    with torch.no_grad():
        wanted = np.concatenate([sure[0](torch.from_numpy(batch)).numpy() for batch in sure[2]])
    assert (wanted.argmax(1) == found.argmax(1)).mean() > 0.85
    assert 0 < divergence(wanted, found) < 0.2
    nodes = rounded(prepared, setting, set()).graph.nodes
    targets = [str(node.target) for node in nodes]
    layers = sum(isinstance(m, nn.Conv2d | nn.Linear) for m in sure[0].modules())
    assert sum("dequantize_per_channel" in target for target in targets) == layers, sorted(set(targets))
    assert capfd.readouterr().out == ""
    cut_off = [node for node in nodes if "hardtanh" in str(node.target)]
    assert cut_off
    assert all("conv2d" in str(node.args[0].target) for node in cut_off), "nothing is rounded before a ReLU6"
