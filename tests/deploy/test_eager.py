import json
from dataclasses import replace

import numpy as np
import torch

from linnet.arch.names import find
from linnet.deploy.eager import load_eager, untrained

ARCH = replace(find("mobilenetv3_small_035").with_classes(5), image=32)


def test_drawn_weights_are_the_same_each_time_and_disturb_nobodys_draws():
    torch.manual_seed(7)
    wanted = torch.rand(3)
    torch.manual_seed(7)
    first = untrained(ARCH).state_dict()
    assert torch.equal(torch.rand(3), wanted)
    again = untrained(ARCH).state_dict()
    assert all(torch.equal(first[key], again[key]) for key in first)


def test_numbers_inside_are_of_a_trained_networks_size():
    """Fresh ones fall towards denormals, over which processors crawl."""
    arch = replace(find("mobilenetv2_100"), image=32)
    net = untrained(arch)
    assert not net.training
    norms = [m for m in net.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert {norm.momentum for norm in norms} == {arch.style.momentum}
    spreads = []
    for norm in norms:
        norm.register_forward_hook(lambda _m, _i, out: spreads.append(float(out.std())))
    with torch.no_grad():
        net(torch.randn(8, 3, 32, 32))
    assert min(spreads) > 0.1
    assert len(spreads) == len(norms)


def test_as_a_function_of_images():
    images = np.random.default_rng(0).standard_normal((2, 3, 32, 32), np.float32)
    said = load_eager(json.dumps(ARCH.to_json()).encode(), threads=1)(images)
    with torch.no_grad():
        wanted = untrained(ARCH)(torch.from_numpy(images)).numpy()
    assert said.dtype == np.float32
    assert np.allclose(said, wanted, atol=1e-4)
