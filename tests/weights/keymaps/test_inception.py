from __future__ import annotations

import pytest
import torch
from interchange import check_features, check_timm, check_torchvision
from torchvision import models

from linnet.arch.names import find
from linnet.errors import SettingError
from linnet.weights.keymap import pairs, spoken, to_linnet

PLAIN = {"aux_logits": False, "init_weights": False, "transform_input": False}


def test_inception_v3_answers_as_timms_and_torchvisions() -> None:
    check_timm("inception_v3", sides=(75, (107, 140)))
    check_torchvision("inception_v3", sides=(75,), **PLAIN)
    check_features("inception_v3")


def test_googlenet_answers_as_torchvisions() -> None:
    check_torchvision("googlenet", sides=(64, (97, 75)), **PLAIN)


@pytest.mark.parametrize("name", ["inception_v3", "googlenet"])
def test_the_classifiers_that_only_train_are_left_out(name: str) -> None:
    """torchvision's files hold them."""
    with torch.device("meta"):
        theirs = models.get_model(name, init_weights=False)
    assert any("ux" in key for key in theirs.state_dict())
    assert to_linnet(theirs.state_dict(), find(name), "torchvision").keys() == {
        ours for pair in pairs(find(name), "torchvision") for ours in pair.ours
    }


def test_the_papers_googlenet_is_in_neither() -> None:
    assert spoken(find("googlenet_original")) == []
    assert spoken(find("googlenet")) == ["torchvision"]
    with pytest.raises(SettingError, match="timm has no network like googlenet; torchvision has"):
        pairs(find("googlenet"), "timm")
