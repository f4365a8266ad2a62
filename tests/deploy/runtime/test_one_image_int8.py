"""What LiteRT and ExecuTorch have in common in int8: layers are left in float by their names in the network's table."""

from importlib import import_module

import numpy as np
import pytest
import torch

from linnet.deploy.int8.gate import divergence
from linnet.deploy.runtime.known import RUNTIMES, is_here
from linnet.deploy.runtime.opening import open_model


@pytest.fixture(scope="module", params=["litert", "executorch"])
def runtime(request):
    known = RUNTIMES[request.param]
    if not is_here(known.maker_of("int8")):
        pytest.skip(f"{known.title} is not installed: {known.install}")
    return known.name


@pytest.fixture(scope="module")
def maker(runtime):
    return import_module(f"linnet.deploy.runtime.{runtime}_int8")


def test_a_layer_that_is_left_in_float_is_larger(sure, maker):
    prepared, setting = maker.prepare(sure[0], sure[1], sure[2]), maker.SETTINGS[-1]
    whole, part = maker.quantise(prepared, setting)[0], maker.quantise(prepared, setting, {"head.conv"})[0]
    numbers = sure[0].get_submodule("head.conv").weight.numel()
    assert len(part) - len(whole) == pytest.approx(3 * numbers, rel=0.25)


def test_layers_have_the_same_names_with_pixels_inside(sure, maker, runtime):
    """What normalises is never rounded, and a layer left in float is found behind it."""
    net, preprocess, _, _ = sure
    pixels = np.random.default_rng(0).integers(0, 256, (4, preprocess.image, preprocess.image, 3), np.uint8)
    given, setting = maker.prepare(net, preprocess, [pixels], uint8=True), maker.SETTINGS[-1]
    whole, part = maker.quantise(given, setting)[0], maker.quantise(given, setting, {"head.conv"})[0]
    assert len(part) > len(whole)
    with torch.no_grad():
        wanted = net(torch.from_numpy(preprocess.normalise(pixels))).numpy()
    assert divergence(wanted, open_model(runtime, "int8", [whole], threads=1)(pixels)) < 0.5
