"""ShuffleNet V2 is torchvision's; V1 is in no library and held by tests/golden and tests/nn/test_shufflenet.py."""

from __future__ import annotations

import pytest
from interchange import check_names, check_torchvision

from linnet.arch.names import find
from linnet.errors import SettingError
from linnet.weights.keymap import pairs, spoken


def test_logits_equal_torchvisions() -> None:
    check_torchvision("shufflenet_v2_x0_5", (64, 97, (224, 160)))
    check_torchvision("shufflenet_v2_x1_0", (65,))


@pytest.mark.parametrize(
    "name", ["shufflenet_v2_x0_5", "shufflenet_v2_x1_0", "shufflenet_v2_x1_5", "shufflenet_v2_x2_0"]
)
def test_names_are_torchvisions(name: str) -> None:
    check_names(name, "torchvision")


def test_no_library_has_v1() -> None:
    assert spoken(find("shufflenet_v1_g3")) == []
    with pytest.raises(SettingError, match="no other library has"):
        pairs(find("shufflenet_v1_g3"), "timm")
