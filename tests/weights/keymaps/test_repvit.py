from __future__ import annotations

import pytest
from interchange import check_features, check_names, check_timm
from timm_counts import timm_counts

from linnet.arch.names import find
from linnet.cost.count import count
from linnet.weights.keymap import spoken

NAMES = ("repvit_m0_9", "repvit_m1_0", "repvit_m1_1", "repvit_m1_5")


def test_logits_equal_timms() -> None:
    check_timm("repvit_m0_9", (64, 97))


@pytest.mark.parametrize("name", NAMES)
def test_names_and_features_are_timms(name: str) -> None:
    check_names(name, "timm")
    check_features(name)
    assert spoken(find(name)) == ["timm"]


@pytest.mark.parametrize("name", NAMES)
def test_counts_are_timms_as_it_is_trained(name: str) -> None:
    """With the branches of the token mixers and both classifiers; papers count what is left after folding."""
    total = count(find(name), 224).total
    assert (total.params, total.bn_stats, total.madds, total.attention_madds) == timm_counts(name, 224)
