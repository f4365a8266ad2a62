from __future__ import annotations

import pytest
from interchange import check_features, check_names, check_timm
from timm_counts import timm_counts

from linnet.arch.names import find
from linnet.cost.count import count
from linnet.weights.keymap import spoken

NAMES = ("efficientvit_b0", "efficientvit_b1", "efficientvit_b2")


def test_logits_equal_timms() -> None:
    check_timm("efficientvit_b0", (64, 97, (96, 160)))


@pytest.mark.parametrize("name", NAMES)
def test_names_and_features_are_timms(name: str) -> None:
    check_names(name, "timm")
    check_features(name)
    assert spoken(find(name)) == ["timm"]


@pytest.mark.parametrize("name", NAMES)
def test_counts_are_timms(name: str) -> None:
    total = count(find(name), 224).total
    assert (total.params, total.bn_stats, total.madds, total.attention_madds) == timm_counts(name, 224)
