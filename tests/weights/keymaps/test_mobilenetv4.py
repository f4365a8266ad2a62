"""MobileNetV4 is timm's: weight for weight, logit for logit, and in what it costs."""

from __future__ import annotations

import pytest
import timm
import torch
from interchange import check_features, check_names, check_timm
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from linnet.arch.mobilenetv4 import ARCHS
from linnet.arch.names import find
from linnet.cost.count import PRODUCTS, count

every_network = pytest.mark.parametrize("name", [arch.name for arch in ARCHS])


@pytest.mark.parametrize("name", ["mobilenetv4_conv_small_050", "mobilenetv4_conv_medium"])
def test_logits_equal_timms(name: str) -> None:
    check_timm(name)


def test_logits_of_a_hybrid_equal_timms() -> None:
    check_timm("mobilenetv4_hybrid_medium_075", (64, (97, 130)))


@every_network
def test_names_are_timms(name: str) -> None:
    check_names(name, "timm")


@every_network
def test_features_are_timms(name: str) -> None:
    check_features(name)


@every_network
@torch.no_grad()
def test_costs_are_timms(name: str) -> None:
    image = find(name).image
    with torch.device("meta"):
        net = timm.create_model(name).eval()
        x = torch.empty(1, 3, image, image)
    flops = FlopCounterMode(display=False)
    with flops:
        net(x)
    products = {str(op).rpartition(".")[2]: n // 2 for op, n in flops.get_flop_counts()["Global"].items()}
    madds = sum(n for product, n in products.items() if product in PRODUCTS)
    norms = [m for m in net.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    total = count(find(name)).total
    assert total.params == sum(p.numel() for p in net.parameters())
    assert total.bn_stats == sum(2 * m.num_features for m in norms)
    assert (total.madds, total.attention_madds) == (madds, sum(products.values()) - madds)
