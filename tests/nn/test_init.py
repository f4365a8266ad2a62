from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from linnet.arch.names import find
from linnet.nn.build import build


def test_efficientnet_draws_by_fan_out() -> None:
    net = build(find("efficientnet_b0"))
    expand, depthwise = (net.get_parameter(f"stages.5.1.{role}.weight").detach() for role in ("expand", "depthwise"))
    assert expand.std() == pytest.approx(math.sqrt(2 / len(expand)), rel=0.02)
    assert depthwise.std() == pytest.approx(math.sqrt(2 / 25), rel=0.05)
    fc = net.get_classifier()
    assert isinstance(fc, nn.Linear)
    bound = 1 / math.sqrt(1000)
    assert bound * 0.99 < fc.weight.detach().abs().max() <= bound
    assert fc.weight.detach().std() == pytest.approx(bound / math.sqrt(3), rel=0.02)


def test_mobilenet_draws_from_a_normal_of_009_cut_at_two_deviations() -> None:
    net = build(find("mobilenetv2_100"))
    weights = [m.weight.detach() for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert max(float(w.abs().max()) for w in weights) <= 0.18
    # A normal distribution that is cut at two deviations has 0.880 of its deviation.
    assert torch.cat([w.flatten() for w in weights]).std() == pytest.approx(0.09 * 0.8796, rel=0.01)


@pytest.mark.parametrize("name", ["efficientnet_b0", "mobilenetv3_small_100"])
def test_norms_start_as_nothing_and_biases_at_zero(name: str) -> None:
    for m in build(find(name)).modules():
        if isinstance(m, nn.BatchNorm2d):
            assert bool((m.weight == 1).all())
            assert bool((m.bias == 0).all())
        elif isinstance(m, nn.Conv2d | nn.Linear) and m.bias is not None:
            assert bool((m.bias == 0).all())


@pytest.mark.parametrize("name", ["efficientnet_b0", "mobilenetv2_100", "mnasnet_100", "efficientnetv2_b0"])
def test_fresh_logits_are_of_a_size_that_can_be_trained(name: str) -> None:
    net = build(find(name))
    with torch.no_grad():
        logits = net(torch.randn(8, 3, 96, 96))
    assert 1e-4 < float(logits.std()) < 10


def test_plain_stacks_draw_by_fan_in_and_transformers_by_a_small_normal() -> None:
    he = build(find("googlenet_original"))
    weights = [m.weight.detach() for m in he.modules() if isinstance(m, nn.Conv2d) and m.weight.numel() > 20_000]
    for w in weights:
        assert w.std() == pytest.approx(math.sqrt(2 / w[0].numel()), rel=0.05)
    vit = build(find("vit_tiny_patch16_224"))
    linear = [m for m in vit.modules() if isinstance(m, nn.Linear)]
    assert torch.cat([m.weight.detach().flatten() for m in linear]).std() == pytest.approx(0.02, rel=0.01)
    assert all(bool((m.bias == 0).all()) for m in linear)
