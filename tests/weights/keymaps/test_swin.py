"""Swin and Swin V2 are timm's and torchvision's, weight for weight and logit for logit."""

from __future__ import annotations

from dataclasses import replace

import interchange
import pytest
import timm
import torch
from interchange import agree, check, check_features, check_names, check_timm, check_torchvision, randomise
from torch import nn
from torchvision import models

from linnet.arch.names import find
from linnet.arch.spec import Arch
from linnet.arch.swin import ARCHS
from linnet.nn.build import build
from linnet.weights.keymap import from_linnet, to_linnet
from linnet.weights.model import load_exactly

REDUCED = {"embed_dim": 32, "depths": (2, 2, 2, 2), "num_heads": (1, 2, 4, 8), "num_classes": 11}


@pytest.fixture(autouse=True)
def _keys_without_bias(monkeypatch: pytest.MonkeyPatch) -> None:
    """torchvision keeps a bias of V2's keys that it sets to zero whenever it is used: it is zero from the start here."""

    def randomised(net: nn.Module, seed: int = 0) -> nn.Module:
        randomise(net, seed)
        for m in net.modules():
            if hasattr(m, "logit_scale") and m.qkv.bias is not None:  # type: ignore[union-attr]
                nn.init.zeros_(m.qkv.bias.data.chunk(3)[1])  # type: ignore[union-attr]
        return net

    monkeypatch.setattr(interchange, "randomise", randomised)


def reduced(name: str, image: int | None = None) -> Arch:
    """32 channels and two layers in every stage."""
    arch = find(name).with_classes(11)
    arch = arch.scaled(width=32 / arch.stem[0].channels, image=image)
    return replace(arch, stages=tuple(replace(stage, layers=2) for stage in arch.stages))


@pytest.mark.parametrize(("name", "side"), [("swin_tiny_patch4_window7_224", 224), ("swinv2_tiny_window8_256", 256)])
def test_logits_equal_timms(name: str, side: int) -> None:
    check_timm(name, (side,))
    check_features(name)


@pytest.mark.parametrize("name", ["swin_tiny_patch4_window7_224", "swinv2_tiny_window8_256"])
@pytest.mark.parametrize("side", [192, 288])
def test_logits_equal_timms_built_for_another_size(name: str, side: int) -> None:
    """Windows that the last map makes smaller, and maps that windows do not divide."""
    check(reduced(name, side), timm.create_model(name, img_size=side, **REDUCED), "timm", (side,))


@pytest.mark.parametrize("name", ["swin_tiny_patch4_window7_224", "swinv2_tiny_window8_256"])
def test_logits_equal_timms_at_sizes_that_the_network_was_not_built_for(name: str) -> None:
    theirs = timm.create_model(name, strict_img_size=False, **REDUCED)
    check(reduced(name), theirs, "timm", (352, (160, 256), 64))


@pytest.mark.parametrize("name", ["swin_base_patch4_window12_384", "swinv2_base_window16_256",
                                  "swinv2_base_window12to16_192to256"])  # fmt: skip
def test_logits_of_other_windows_equal_timms(name: str) -> None:
    check(reduced(name), timm.create_model(name, **REDUCED), "timm", (find(name).image,))


@pytest.mark.parametrize("name", ["swin_tiny_patch4_window7_224", "swinv2_tiny_window8_256"])
@pytest.mark.filterwarnings("ignore::UserWarning:timm.layers.interpolate")  # timm's, as it resizes
@torch.no_grad()
def test_logits_equal_timms_after_another_size_is_set(name: str) -> None:
    arch, theirs = reduced(name), randomise(timm.create_model(name, **REDUCED))
    ours = build(arch).eval()
    load_exactly(ours, to_linnet(theirs.state_dict(), arch, "timm"), what=name)
    for size in ((160, 160), (160, 288), (448, 224)):  # the last map is 5 x 5, 5 x 9, 14 x 7
        ours.set_image_size(size)
        # timm would make windows larger with the image, unless told not to.
        theirs.set_input_size(img_size=size, window_size=7 if "window7" in name else 8)  # type: ignore[operator]
        x = torch.randn(1, 3, *size)
        assert agree(ours(x), theirs(x)), size


@pytest.mark.parametrize("arch", ARCHS, ids=lambda arch: arch.name)
def test_names_are_timms(arch: Arch) -> None:
    check_names(arch.name, "timm", num_classes=1000)


@pytest.mark.parametrize(("name", "side"), [("swin_t", 224), ("swin_v2_t", 256)])
def test_logits_equal_torchvisions(name: str, side: int) -> None:
    check_torchvision(name, (side,))


def test_logits_equal_torchvisions_built_for_another_size() -> None:
    theirs = models.SwinTransformer([4, 4], 32, [2, 2, 2, 2], [1, 2, 4, 8], [7, 7], num_classes=11)
    check(reduced("swin_t", 448), theirs, "torchvision", (448,))


@pytest.mark.parametrize("name", ["swin_s", "swin_b", "swin_v2_s", "swin_v2_b"])
def test_names_are_torchvisions(name: str) -> None:
    check_names(name, "torchvision")


@pytest.mark.parametrize("name", ["swin_t", "swinv2_t"])
def test_older_files_hold_what_follows_from_sizes_too(name: str) -> None:
    arch = reduced(name)
    ours = build(arch).state_dict()
    theirs = from_linnet(ours, arch, "timm")
    more = ("attn_mask", "attn.relative_position_index", "attn.relative_coords_table")
    older = theirs | {f"layers.0.blocks.1.{part}": torch.zeros(1) for part in more}
    again = to_linnet(older, arch)
    assert again.keys() == ours.keys()
    assert all(torch.equal(again[name], ours[name]) for name in ours)
