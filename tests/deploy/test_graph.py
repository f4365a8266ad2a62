import numpy as np
import pytest
import torch

from linnet.data.preprocess import Preprocess
from linnet.deploy.graph import Pixels, to_export
from linnet.weights.model import read_model


def test_an_example_is_what_the_file_will_take(run):
    model = read_model(run)
    module, example = to_export(model.net(), model.preprocess)
    assert (example.shape, example.dtype) == ((2, 3, 64, 64), torch.float32)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in module.modules())
    assert not module.training
    module, example = to_export(model.net(), model.preprocess, uint8=True, batch=1)
    assert (example.shape, example.dtype) == ((1, 64, 64, 3), torch.uint8)
    assert not module.training


@pytest.mark.parametrize("channels", ["RGB", "BGR"])
def test_pixels_are_normalised_as_preprocess_does(channels):
    """To the bit: the module does the same arithmetic in the same order."""
    preprocess = Preprocess(image=8, channels=channels)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), np.uint8)
    inside = Pixels(torch.nn.Identity(), preprocess)(torch.from_numpy(pixels)).numpy()
    assert np.array_equal(inside, preprocess.normalise(pixels))


@pytest.mark.parametrize("ending", ["softmax", "sigmoid"])
@pytest.mark.parametrize("uint8", [False, True])
def test_the_ending_comes_last(ending, uint8, run):
    model = read_model(run)
    module, example = to_export(model.net(), model.preprocess, uint8=uint8, ending=ending)
    plain, _ = to_export(model.net(), model.preprocess, uint8=uint8)
    with torch.no_grad():
        logits = plain(example)
        wanted = logits.softmax(1) if ending == "softmax" else logits.sigmoid()
        assert torch.equal(module(example), wanted)


def test_the_network_is_not_changed(run):
    net = read_model(run).net()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    to_export(net, Preprocess(image=64))
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
