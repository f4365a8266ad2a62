from __future__ import annotations

import torch
from torch import nn

from linnet.nn.build import build
from linnet.training.dead import dead_channels


def test_a_fresh_network_has_none_and_each_channel_is_counted_once(tiny_arch):
    found = dead_channels(build(tiny_arch.with_classes(3)))
    assert [one["row"] for one in found] == ["stem.0", "stages.0", "stages.1", "head.conv"]
    assert all(one["kernels"][0] == one["scales"][0] == 0 for one in found)
    # Two layers of MBConv(t=2): 16 and 16 depthwise kernels, then 16 and 32.
    assert [one["kernels"][1] for one in found] == [0, 32, 48, 0]
    assert found[0]["scales"] == [0, 8]


def test_what_is_driven_to_zero_is_counted_in_its_row(tiny_arch):
    net = build(tiny_arch.with_classes(3))
    depthwise = [m for m in net.stages[1].modules() if isinstance(m, nn.Conv2d) and m.groups == m.in_channels]
    norms = [m for m in net.stages[0].modules() if isinstance(m, nn.BatchNorm2d)]
    with torch.no_grad():
        depthwise[0].weight[:3] *= 1e-5
        depthwise[0].weight[3] = 0
        depthwise[1].weight[:30] = 0  # nearly all: the layer's median is zero, its mean is not
        norms[0].weight[1] = 0
        norms[0].weight[2] = 0.01  # small, but alive
    found = {one["row"]: one for one in dead_channels(net)}
    assert found["stages.1"]["kernels"] == [34, 48]
    assert found["stages.0"]["scales"][0] == 1
    assert found["stages.0"]["kernels"][0] == 0
