from __future__ import annotations

import pytest
from interchange import check_names, check_torchvision

from linnet.arch.names import find
from linnet.weights.keymap import spoken

NAMES = ("squeezenet1_0", "squeezenet1_1")


@pytest.mark.parametrize("name", NAMES)
def test_logits_are_torchvisions(name: str) -> None:
    check_torchvision(name)
    check_names(name, "torchvision")


@pytest.mark.parametrize("name", NAMES)
def test_timm_has_none(name: str) -> None:
    assert spoken(find(name)) == ["torchvision"]
