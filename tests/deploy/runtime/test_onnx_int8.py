import copy
import re

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from linnet.deploy.int8.gate import divergence
from linnet.deploy.runtime.onnx import load_onnx, refuse_external_data
from linnet.deploy.runtime.onnx_int8 import (
    SETTINGS,
    correct_biases,
    layer_of,
    noise,
    outputs,
    prepare,
    quantisable,
    quantise,
    rounded,
)


def float_answers(sure):
    with torch.no_grad():
        return np.concatenate([sure[0](torch.from_numpy(batch)).numpy() for batch in sure[2]])


def answers(model, batches):
    run = load_onnx(model, threads=1)
    return np.concatenate([run(batch) for batch in batches])


@pytest.mark.parametrize("setting", SETTINGS)
def test_int8_answers_nearly_as_the_network(sure, setting):
    (model,) = quantise(sure[3], setting)
    wanted, found = float_answers(sure), answers(model, sure[2])
    assert (wanted.argmax(1) == found.argmax(1)).mean() > 0.85
    assert 0 < divergence(wanted, found) < 0.2
    assert divergence(wanted, found) < 0.5 * divergence(wanted, np.roll(wanted, 1, 0))


def test_the_file_is_a_quarter_and_holds_all_itself(sure):
    (model,) = quantise(sure[3], "widest")
    refuse_external_data(model)
    onnx.checker.check_model(model, full_check=True)
    graph = onnx.load_from_string(model).graph
    weights = {one.name: one for one in graph.initializer}
    true = {one.name: one for one in sure[3].model.graph.initializer if one.name.endswith("weight")}
    assert {len(true[name].raw_data) / len(weights[f"{name}_quantized"].raw_data) for name in true} == {4.0}
    scales = numpy_helper.to_array(weights["stages.1.0.depthwise.weight_scale"])
    kernel = numpy_helper.to_array(weights["stages.1.0.depthwise.weight_quantized"])
    assert kernel.dtype == np.int8
    assert scales.shape == (len(kernel),)  # by channel
    assert len(set(scales.tolist())) > 1
    types = {numpy_helper.to_array(w).dtype for name, w in weights.items() if re.search("conv.*zero_point", name)}
    assert np.dtype(np.uint8) in types


def test_layers_are_the_tables_rows(sure):
    assert sure[3].layers[:4] == ("stem.0.0", "stages.0.0.expand", "stages.0.0.depthwise", "stages.0.0.gate")
    assert sure[3].layers[-1] == "head.classifier"
    assert layer_of("stages.0.0.depthwise.act/Clip") == "stages.0.0.depthwise"
    assert layer_of("stages.4.1.gate.expand/Conv") == layer_of("stages.4.1.gate/Mul") == "stages.4.1.gate"
    assert layer_of("stages.1.1/Add") == "stages.1.1"


def test_a_layer_that_is_left_in_float_has_its_weights(sure):
    layer = "stages.1.0.depthwise"
    (model,) = quantise(sure[3], "widest", {layer})
    onnx.checker.check_model(model, full_check=True)
    names = {one.name for one in onnx.load_from_string(model).graph.initializer}
    assert f"{layer}.weight" in names
    assert f"{layer}.weight_quantized" not in names
    assert "stages.1.0.project.weight_quantized" in names
    (model,) = quantise(sure[3], "usual, biases corrected", set(sure[3].layers))
    assert np.allclose(answers(model, sure[2]), float_answers(sure), atol=1e-3, rtol=1e-3)


def test_weights_are_rounded_as_onnx_runtime_does(sure):
    (model,) = quantise(sure[3], "widest")
    weights = {one.name: numpy_helper.to_array(one) for one in onnx.load_from_string(model).graph.initializer}
    true = next(one for one in sure[3].model.graph.initializer if one.name == "stages.1.0.expand.weight")
    back = weights["stages.1.0.expand.weight_quantized"] * weights["stages.1.0.expand.weight_scale"].reshape(
        -1, 1, 1, 1
    )
    assert np.allclose(rounded(numpy_helper.to_array(true)), back, atol=1e-6)
    assert np.array_equal(rounded(np.zeros((2, 3))), np.zeros((2, 3)))


def test_corrected_biases_give_the_mean_output_back(sure):
    """Where weights alone are rounded, each channel's mean is that of the float layer again, but for the edges."""
    prepared = sure[3]
    layer = "stages.1.0.expand"  # 1 x 1: it has no edges

    def means(model):
        node = next(node for node in model.graph.node if node.name == f"{layer}/Conv")
        found = np.concatenate([one[node.output[0]] for one in outputs(model, [node.output[0]], sure[2])])
        return found.mean((0, 2, 3))

    wanted = means(prepared.model)
    coarse = copy.deepcopy(prepared.model)
    weight = next(one for one in coarse.graph.initializer if one.name == f"{layer}.weight")
    weight.CopyFrom(numpy_helper.from_array(rounded(numpy_helper.to_array(weight)), weight.name))
    mended = copy.deepcopy(prepared.model)
    correct_biases(mended, [n for n in mended.graph.node if n.name == f"{layer}/Conv"], prepared.means)
    weight = next(one for one in mended.graph.initializer if one.name == f"{layer}.weight")
    weight.CopyFrom(numpy_helper.from_array(rounded(numpy_helper.to_array(weight)), weight.name))
    off, still = (np.abs(means(model) - wanted).mean() for model in (coarse, mended))
    assert off > 1e-4
    assert still < 0.01 * off


def test_ranges_are_those_of_the_calibration_images(sure):
    prepared = sure[3]
    assert len(prepared.low["images"]) == 32
    assert prepared.high["images"].max() == max(batch.max() for batch in sure[2])
    name = next(node.output[0] for node in prepared.model.graph.node if node.op_type == "Clip")
    assert prepared.low[name].min() >= 0
    assert prepared.high[name].max() <= 6


def test_pixels_may_be_the_input(sure):
    """The normalisation is not rounded: it is not quantisable."""
    net, preprocess, _batches, _ = sure
    pixels = np.random.default_rng(0).integers(0, 256, (8, preprocess.image, preprocess.image, 3), np.uint8)
    prepared = prepare(net, preprocess, [pixels], uint8=True)
    assert not [node.name for node in quantisable(prepared.model) if layer_of(node.name) == "net"]
    (model,) = quantise(prepared, "widest")
    with torch.no_grad():
        wanted = net(torch.from_numpy(preprocess.normalise(pixels))).numpy()
    assert divergence(wanted, answers(model, [pixels])) < 0.3


def test_noise_is_what_int8_adds(sure):
    found = noise(sure[3], quantise(sure[3], "widest")[0], sure[2][:1])
    assert list(found) == list(sure[3].layers)
    assert all(0 < value < 80 for value in found.values()), found
    cut = noise(sure[3], quantise(sure[3], "widest", {"stem.0.0", "stages.0.0.depthwise"})[0], sure[2][:1])
    assert cut["stem.0.0"] > found["stem.0.0"]
