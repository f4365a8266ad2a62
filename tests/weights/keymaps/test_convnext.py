from __future__ import annotations

import pytest
import timm
import torch
from interchange import check_features, check_names, check_timm, check_torchvision, randomise
from timm.models.convnext import checkpoint_filter_fn

from linnet.arch.convnext import ROAD
from linnet.arch.names import find
from linnet.weights.keymap import from_linnet, spoken, to_linnet

SIZES = ("tiny", "small", "base", "large", "xlarge")


def test_the_logits_are_timms() -> None:
    check_timm("convnext_tiny", sides=(64, 97))


def test_the_logits_are_torchvisions() -> None:
    check_torchvision("convnext_tiny", sides=(64, 97))


@pytest.mark.parametrize("size", SIZES)
def test_names_and_shapes_are_timms_and_torchvisions(size: str) -> None:
    check_names(f"convnext_{size}", "timm")
    if size != "xlarge":  # torchvision has none
        check_names(f"convnext_{size}", "torchvision")


@pytest.mark.parametrize("size", SIZES)
def test_features_are_timms(size: str) -> None:
    check_features(f"convnext_{size}")


def test_facebooks_names_are_what_timm_reads() -> None:
    """Facebook's code is not installed; timm's reader of its files takes what we write, and it comes back whole."""
    theirs, arch = randomise(timm.create_model("convnext_tiny", num_classes=11)), find("convnext_tiny").with_classes(11)
    ours = to_linnet(theirs.state_dict(), arch, "timm")
    facebook = from_linnet(ours, arch, "facebook")
    assert {"downsample_layers.0.1.weight", "stages.2.8.pwconv1.bias", "norm.weight", "head.bias"} <= facebook.keys()
    read = checkpoint_filter_fn(dict(facebook), theirs)
    assert read.keys() == theirs.state_dict().keys()
    assert all(torch.equal(read[name], tensor) for name, tensor in theirs.state_dict().items())
    back = to_linnet(facebook, arch)  # the dialect is seen
    assert all(torch.equal(back[name], ours[name]) for name in ours)


def test_the_road_has_no_names_elsewhere() -> None:
    assert [spoken(arch) for arch in ROAD[:-1]] == [[]] * 15
