from __future__ import annotations

from interchange import check_features, check_timm

from linnet.arch.names import find
from linnet.weights.keymap import spoken


def test_the_logits_are_timms() -> None:
    check_timm("legacy_xception", sides=(64, (97, 75)))
    check_features("legacy_xception")


def test_torchvision_has_none() -> None:
    assert spoken(find("legacy_xception")) == ["timm"]
