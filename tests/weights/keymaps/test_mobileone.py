from __future__ import annotations

import pytest
from interchange import check_features, check_names, check_timm
from timm_counts import timm_counts

from linnet.arch.names import find
from linnet.cost.count import count
from linnet.weights.keymap import spoken

NAMES = ("mobileone_s0", "mobileone_s1", "mobileone_s2")


@pytest.mark.parametrize("name", NAMES[:2])
def test_logits_equal_timms(name: str) -> None:
    check_timm(name, (64, 97))


@pytest.mark.parametrize("name", NAMES)
def test_names_and_features_are_timms(name: str) -> None:
    check_names(name, "timm")
    check_features(name)
    assert spoken(find(name)) == ["timm"]


@pytest.mark.parametrize("name", NAMES)
def test_counts_are_timms_as_it_is_trained(name: str) -> None:
    """With all branches; the paper counts what is left after folding, see tests/nn/test_mobileone.py."""
    total = count(find(name), 224).total
    assert (total.params, total.bn_stats, total.madds, total.attention_madds) == timm_counts(name, 224)
