from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from interchange import check, check_features, check_names, randomise
from timm.models import vgg as timm_vgg
from torch import nn
from torchvision.models import vgg as torchvision_vgg
from torchvision.models.alexnet import AlexNet

from linnet.arch.names import find
from linnet.arch.spec import Arch, Linear
from linnet.nn.build import build
from linnet.weights.keymap import keys_of, spoken, to_linnet
from linnet.weights.model import load_exactly

# Column D at an eighth of its width; in full it has 138 million weights.
NARROW = [8, 8, "M", 16, 16, "M", 32, 32, 32, "M", 64, 64, 64, "M", 64, 64, 64, "M"]
NETWORKS = ["vgg16", "vgg16_bn"]


def narrow(name: str, hidden: int = 4096) -> Arch:
    arch = find(name).scaled(width=0.125).with_classes(11)
    return replace(arch, head=tuple(replace(op, c=hidden) if isinstance(op, Linear) else op for op in arch.head))


def timms(name: str) -> nn.Module:
    norm = nn.BatchNorm2d if name.endswith("_bn") else None
    return timm_vgg.VGG(NARROW, num_classes=11, norm_layer=norm)


@pytest.mark.parametrize("name", NETWORKS)
def test_logits_are_timms(name: str) -> None:
    check(narrow(name), timms(name), "timm", (64, 97, 224))


@pytest.mark.parametrize("name", NETWORKS)
def test_logits_are_torchvisions(name: str) -> None:
    """Above 224 pixels, too, where torchvision averages cells of the map; timm's convolution slides over it."""
    theirs = torchvision_vgg.VGG(
        torchvision_vgg.make_layers(NARROW, batch_norm=name.endswith("_bn")), num_classes=11, init_weights=False
    )
    theirs.classifier[0], theirs.classifier[3] = nn.Linear(64 * 49, 32), nn.Linear(32, 32)
    theirs.classifier[6] = nn.Linear(32, 11)
    check(narrow(name, 32), theirs, "torchvision", (64, 97, 260))


def test_logits_are_torchvisions_alexnets() -> None:
    theirs = AlexNet(num_classes=11)
    theirs.classifier[1], theirs.classifier[4] = nn.Linear(256 * 36, 32), nn.Linear(32, 32)
    theirs.classifier[6] = nn.Linear(32, 11)
    arch = find("alexnet").with_classes(11)
    arch = replace(arch, head=tuple(replace(op, c=32) if isinstance(op, Linear) else op for op in arch.head))
    check(arch, theirs, "torchvision", (64, 97, 224))


@pytest.mark.parametrize("name", NETWORKS)
def test_names_and_features_of_the_whole_networks(name: str) -> None:
    check_names(name, "timm")
    check_names(name, "torchvision")
    check_features(name)


def test_names_of_the_whole_alexnet() -> None:
    check_names("alexnet", "torchvision")
    assert spoken(find("alexnet")) == ["torchvision"]


def test_features_have_timms_values() -> None:
    theirs, arch = randomise(timms("vgg16")), narrow("vgg16")
    ours = build(arch).eval()
    load_exactly(ours, to_linnet(theirs.state_dict(), arch, "timm"), what="vgg16")
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        maps = theirs.forward_intermediates(x, intermediates_only=True)
        for mine, other in zip(ours.features(x), maps, strict=True):
            torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["alexnet_2012", "lenet5"])
def test_no_library_has_the_oldest(name: str) -> None:
    assert keys_of(find(name)) is None


def test_a_deeper_stack_is_numbered_otherwise() -> None:
    assert keys_of(find("vgg16").scaled(depth=2)) is None
