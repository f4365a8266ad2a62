from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from linnet.arch.names import find
from linnet.arch.spec import Arch, Classifier, Conv, Layer, Operator, Pool, Stage
from linnet.cost.count import Cost, cost, count
from linnet.nn.build import build
from linnet.nn.module import module

NETWORKS = json.loads((Path(__file__).parents[1] / "golden/architectures.json").read_text())["networks"]


@pytest.mark.parametrize("known", NETWORKS, ids=lambda e: f"{e['name']}@{e['image']}")
def test_counts_equal_those_of_the_reference(known: dict[str, int]) -> None:
    channels = 1 if known["name"] == "lenet5" else 3  # the paper's digits are grey
    total = count(find(str(known["name"])), known["image"], channels=channels).total
    assert (total.params, total.bn_stats, total.madds) == (known["trainable"], known["bn_stats"], known["madds"])
    assert total.attention_madds == known.get("attention_madds", 0)


def test_efficientnet_b0_stage_by_stage() -> None:
    """Counted on timm and torchvision, (total, trained, statistics); widely copied texts say 16,705 for the third."""
    stages = [(992, 928, 64), (1_544, 1_448, 96), (17_770, 16_714, 1_056), (48_336, 46_640, 1_696),
              (248_210, 242_930, 5_280), (551_116, 543_148, 7_968), (2_044_396, 2_026_348, 18_048),
              (722_480, 717_232, 5_248)]  # fmt: skip
    counts = count(find("efficientnet_b0"))
    found = [(row.params + row.bn_stats, row.params, row.bn_stats) for row in counts.rows[:8]]
    assert found == stages
    head = counts.rows[8:]
    assert sum(row.params for row in head) == 1_693_160
    assert sum(row.bn_stats for row in head) == 2_560
    assert counts.total.params + counts.total.bn_stats == 5_330_564


@pytest.mark.parametrize("name", ["mobilenetv3_small_100", "tf_efficientnetv2_b0"])
def test_rows_add_up_to_the_whole_network(name: str) -> None:
    arch = find(name)
    counts = count(arch, 96)
    for field in Cost._fields:
        assert sum(getattr(row, field) for row in counts.rows) == getattr(counts.total, field)
    with torch.device("meta"):
        net = build(arch)
    assert counts.total.params == sum(p.numel() for p in net.parameters())
    assert counts.total.layers == sum(stage.layers for stage in arch.rows)
    assert [row.name for row in counts.rows] == list(arch.row_names)


def test_activations_are_what_convolutions_and_linear_layers_give_out() -> None:
    arch = Arch("tiny", 8, (Stage(Conv(k=3), 4, 1, 2),), (Stage(Conv(k=1), 6, 2, 1),), (Pool(), Classifier(10)))
    counts = count(arch)
    assert [row.activations for row in counts.rows] == [4 * 4 * 4, 2 * 6 * 4 * 4, 0, 10]
    assert [row.madds for row in counts.rows] == [16 * 4 * 27, 16 * (6 * 4 + 6 * 6), 0, 60]
    assert [row.params for row in counts.rows] == [4 * 27 + 8, 24 + 12 + 36 + 12, 0, 70]
    # pycls, MODEL_ZOO.md: 6.7 million for EfficientNet-B0.
    assert round(count(find("efficientnet_b0")).total.activations / 1e6, 1) == 6.7


def test_an_image_need_not_be_square() -> None:
    arch = find("mobilenetv3_small_100")
    assert count(arch, (96, 160)).rows[0].output == (16, 48, 80)
    assert count(arch, (96, 160)).total.madds == count(arch, (160, 96)).total.madds
    assert count(arch, (96, 96)) == count(arch, 96)


def test_a_layer_is_counted_once() -> None:
    arch = find("mobilenetv2_100")
    count(arch, 64)
    before = cost.cache_info()
    count(arch, 64)
    after = cost.cache_info()
    assert after.misses == before.misses
    assert after.hits - before.hits == sum(stage.layers for stage in arch.rows)


@dataclass(frozen=True)
class Products(Operator):
    """Position times position, as attention does: for this test alone."""


class _Products(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        tokens = x.flatten(2)
        return (tokens @ tokens.transpose(1, 2) @ tokens).view_as(x)


@module.register
def _(op: Products, layer: Layer) -> nn.Module:
    return _Products()


def test_products_of_activations_are_counted_apart() -> None:
    arch = Arch("tiny", 8, (Stage(Conv(k=1), 4, 1, 1),), (Stage(Products(), 4),), (Pool(), Classifier(10)))
    row = count(arch).rows[1]
    assert (row.madds, row.attention_madds, row.params) == (0, 2 * 4 * 4 * 64, 0)
