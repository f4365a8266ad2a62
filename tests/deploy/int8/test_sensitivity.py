import json

import numpy as np

from linnet.deploy.int8.sensitivity import culprits
from linnet.deploy.runtime.onnx import load_onnx


def test_the_layer_that_int8_breaks_comes_first(sure, hard):
    batches = sure[2]
    layer, prepared = hard
    steps = []
    found = culprits(
        prepared, "widest", batches[:1], load=lambda model: load_onnx(model, threads=1),
        done=steps.append,
    )  # fmt: skip
    assert len(found) == len(prepared.layers) == len(steps)
    first = found[0]
    assert first.layer == layer
    assert first.gain > 0.5 * first.divergence_all > 0
    assert first.signal_to_noise_db < np.median([one.signal_to_noise_db for one in found])
    assert json.loads(json.dumps(first.to_json()))["layer"] == layer
    assert [one.gain for one in found] == sorted((one.gain for one in found), reverse=True)
