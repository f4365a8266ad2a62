"""GhostNet is timm's, weight for weight and logit for logit; tests/golden does not hold it, so timm is counted here."""

from __future__ import annotations

import pytest
from interchange import check_features, check_names, check_timm
from timm_counts import timm_counts

from linnet.arch.ghostnet import ARCHS
from linnet.arch.names import find
from linnet.cost.count import count

every = pytest.mark.parametrize("name", [arch.name for arch in ARCHS])


def test_logits_equal_timms() -> None:
    check_timm("ghostnet_050", (64, 97, (160, 96)))
    check_timm("ghostnet_130", (65,))


@every
def test_names_and_features_are_timms(name: str) -> None:
    check_names(name, "timm")
    check_features(name)


@every
def test_counts_are_timms(name: str) -> None:
    total = count(find(name), 224).total
    assert (total.params, total.bn_stats, total.madds, total.attention_madds) == timm_counts(name, 224)
