"""MobileViT and MobileViTv2 are timm's, weight for weight and logit for logit; Apple's names are those of its source."""

from __future__ import annotations

import pytest
import torch
from interchange import check_features, check_names, check_timm

from linnet.arch.mobilevit import ARCHS
from linnet.arch.names import find
from linnet.errors import SettingError
from linnet.nn.build import build
from linnet.weights.keymap import from_linnet, pairs, to_linnet

every_network = pytest.mark.parametrize("name", [arch.name for arch in ARCHS])


@pytest.mark.parametrize("name", ["mobilevit_xxs", "mobilevitv2_050"])
def test_logits_equal_timms(name: str) -> None:
    """Of 96 and 200 pixels the last maps are 3 and 7, which patches of 2 do not divide."""
    check_timm(name, (64, 96, (200, 128)))


def test_mobilevit_s_at_224_equals_timms() -> None:
    check_timm("mobilevit_s", (224,))


@every_network
def test_names_are_timms(name: str) -> None:
    check_names(name, "timm")


@every_network
def test_features_are_timms(name: str) -> None:
    check_features(name)


@pytest.mark.parametrize(("name", "wanted"), [
    ("mobilevit_s", {
        "stages.1.2.depthwise.norm.weight": "layer_2.2.block.conv_3x3.block.norm.weight",
        "stages.2.0.expand.weight": "layer_3.0.block.exp_1x1.block.conv.weight",
        "stages.3.0.local.weight": "layer_3.1.local_rep.conv_3x3.block.conv.weight",
        "stages.5.0.encoder.3.attention.qkv.bias": "layer_4.1.global_rep.3.pre_norm_mha.1.qkv_proj.bias",
        "stages.5.0.norm.weight": "layer_4.1.global_rep.4.weight",  # the norm behind four layers
        "stages.7.0.fuse.norm.running_var": "layer_5.1.fusion.block.norm.running_var",
        "head.conv.weight": "conv_1x1_exp.block.conv.weight",
        "head.classifier.bias": "classifier.fc.bias",
    }),
    ("mobilevitv2_075", {
        "stages.3.0.local.norm.bias": "layer_3.1.local_rep.0.block.norm.bias",
        "stages.5.0.encoder.1.attention.project.weight":
            "layer_4.1.global_rep.1.pre_norm_attn.1.out_proj.block.conv.weight",
        "stages.7.0.encoder.2.mlp.project.bias": "layer_5.1.global_rep.2.pre_norm_ffn.3.block.conv.bias",
        "stages.7.0.norm.weight": "layer_5.1.global_rep.3.weight",
        "head.classifier.weight": "classifier.1.weight",
    }),
])  # fmt: skip
def test_apples_names(name: str, wanted: dict[str, str]) -> None:
    """From the source of apple/ml-cvnets; its networks themselves were not run."""
    theirs = {pair.ours[0]: pair.theirs for pair in pairs(find(name), "cvnets")}
    assert {ours: theirs[ours] for ours in wanted} == wanted
    assert len(set(theirs.values())) == len(theirs)


def test_apples_weights_are_told_from_timms() -> None:
    arch = find("mobilevitv2_050").with_classes(3)
    state = build(arch).state_dict()
    for dialect in ("timm", "cvnets"):
        back = to_linnet(from_linnet(state, arch, dialect), arch)
        assert all(torch.equal(back[name], state[name]) for name in state)


def test_torchvision_has_none() -> None:
    with pytest.raises(SettingError, match="timm and cvnets has"):
        pairs(find("mobilevit_xs"), "torchvision")
