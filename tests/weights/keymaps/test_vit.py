"""ViT and DeiT are timm's and torchvision's, weight for weight and logit for logit."""

from __future__ import annotations

from dataclasses import replace

import pytest
import timm
import torch
from interchange import agree, check, check_names, check_timm, randomise
from torchvision import models

from linnet.arch.names import find
from linnet.arch.spec import Arch
from linnet.arch.vit import ARCHS
from linnet.errors import SettingError
from linnet.nn.build import build
from linnet.weights.keymap import from_linnet, pairs, to_linnet
from linnet.weights.model import load_exactly


def shallow(name: str, layers: int = 2, **changes: object) -> Arch:
    arch = find(name).with_classes(11)
    return replace(arch, stages=(replace(arch.stages[0], layers=layers),), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "deit_tiny_patch16_224", "deit_tiny_distilled_patch16_224"])
def test_logits_equal_timms(name: str) -> None:
    """At the network's own size and at others, where positions are resized."""
    check_timm(name, (224, 96, (160, 256)), dynamic_img_size=True)


@pytest.mark.parametrize("name", [arch.name for arch in ARCHS if "tiny" not in arch.name])
def test_logits_of_one_layer_equal_timms(name: str) -> None:
    arch = shallow(name, 1)
    patch = arch.stem[0].stride
    theirs = timm.create_model(name, num_classes=11, depth=1, dynamic_img_size=True)
    check(arch, theirs, "timm", [(4 * patch, 6 * patch), *([224] if arch.image == 224 else [])])


@pytest.mark.parametrize("arch", ARCHS, ids=lambda arch: arch.name)
def test_names_are_timms(arch: Arch) -> None:
    check_names(arch.name, "timm", num_classes=1000)


@pytest.mark.parametrize("layers", [1, 3])
def test_logits_equal_torchvisions(layers: int) -> None:
    arch = shallow("vit_tiny_patch16_224", layers, image=64)
    make = models.VisionTransformer
    theirs = make(64, 16, num_layers=layers, num_heads=3, hidden_dim=192, mlp_dim=768, num_classes=11)
    check(arch, theirs, "torchvision", (64,))  # torchvision's takes no other size


@pytest.mark.parametrize("name", ["vit_b_16", "vit_b_32", "vit_l_16", "vit_l_32"])
def test_names_are_torchvisions(name: str) -> None:
    check_names(name, "torchvision")


def test_torchvisions_files_are_older_than_its_module() -> None:
    """Its module takes both namings, so a state dict under the old names must load there, and be known here."""
    arch = shallow("vit_tiny_patch16_224", image=32)
    ours = build(arch).eval()
    new = from_linnet(ours.state_dict(), arch, "torchvision")
    old = {name.replace("mlp.0.", "mlp.linear_1.").replace("mlp.3.", "mlp.linear_2."): t for name, t in new.items()}
    assert "encoder.layers.encoder_layer_1.mlp.linear_2.bias" in old
    theirs = models.VisionTransformer(32, 16, 2, num_heads=3, hidden_dim=192, mlp_dim=768, num_classes=11).eval()
    theirs.load_state_dict(dict(old))
    x = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        assert agree(ours(x), theirs(x))
    found = to_linnet(old, arch)
    assert all(torch.equal(value, found[name]) for name, value in ours.state_dict().items())


def test_torchvision_has_no_distilled_networks() -> None:
    with pytest.raises(SettingError, match="torchvision has no network like deit_tiny_distilled_patch16_224; timm has"):
        pairs(find("deit_tiny_distilled_patch16_224"), "torchvision")


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "deit_tiny_distilled_patch16_224"])
def test_features_have_timms_values(name: str) -> None:
    """timm gives three of the same size, from the last three layers; ours is the last of them."""
    arch = shallow(name)
    theirs = randomise(timm.create_model(name, num_classes=11, depth=2, dynamic_img_size=True))
    ours = build(arch).eval()
    load_exactly(ours, to_linnet(theirs.state_dict(), arch), what=name)
    info = timm.create_model(name, features_only=True, depth=2, out_indices=(1,)).feature_info
    assert [tuple(f[1:]) for f in ours.feature_info] == list(zip(info.channels(), info.reduction(), strict=True))
    x = torch.randn(1, 3, 96, 64)
    with torch.no_grad():
        other = theirs.forward_intermediates(x, indices=[1], intermediates_only=True)
        (mine,) = ours.features(x)
    assert agree(mine, other[0])


def test_the_resized_positions_are_those_that_timm_loads() -> None:
    """`set_size` does to the parameter what timm does to a file of another size."""
    small, large = shallow("vit_tiny_patch16_224"), shallow("vit_tiny_patch16_384")
    net = build(small)
    state = from_linnet(net.state_dict(), small, "timm")
    net.stem[1][0].set_size((24, 24))  # type: ignore[index,operator]
    theirs = timm.create_model("vit_tiny_patch16_384", num_classes=11, depth=2)
    filtered = timm.models.vision_transformer.checkpoint_filter_fn(state, theirs)
    mine = from_linnet(net.state_dict(), large, "timm")
    assert all(torch.allclose(mine[name], filtered[name], rtol=1e-5, atol=1e-6) for name in mine)
