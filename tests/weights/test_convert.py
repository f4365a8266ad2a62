from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path

import pytest
import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torchvision import models

from linnet.errors import FileError, SettingError, WeightsError
from linnet.weights.convert import convert
from linnet.weights.model import read_model
from linnet.weights.tensors import DiskFull

NAME = "mobilenetv3_small_050"


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "model.safetensors"
    save_file(timm.create_model(NAME, num_classes=5).state_dict(), path)
    return path


def test_there_and_back_again_is_the_same_file(theirs: Path, tmp_path: Path) -> None:
    ours = convert(theirs, arch=NAME)
    assert (ours.file.name, ours.classes, ours.arch) == ("model.linnet.safetensors", 5, NAME)
    assert read_model(ours.file).net()(torch.zeros(1, 3, 64, 64)).shape == (1, 5)
    back = convert(ours.file, to="timm", out=tmp_path / "back.safetensors")
    a, b = load_file(theirs), load_file(back.file)
    assert a.keys() == b.keys()
    assert all(torch.equal(a[k], b[k]) for k in a)
    timm.create_model(NAME, num_classes=5).load_state_dict(b)
    other = convert(ours.file, to="torchvision")
    assert "features.0.0.weight" in load_file(other.file)
    assert str(other).startswith(str(other.file))


def test_pickles_are_read_in_a_process_of_their_own(theirs: Path, tmp_path: Path) -> None:
    torch.save(load_file(theirs), tmp_path / "old.pth")
    assert convert(tmp_path / "old.pth", arch=NAME).to_json()["tensors"] == len(load_file(theirs))
    torch.save({"state_dict": load_file(theirs), "args": Namespace(lr=0.1)}, tmp_path / "model_best.pth.tar")
    with pytest.raises(WeightsError, match="--arch NAME"):
        convert(tmp_path / "model_best.pth.tar")
    (tmp_path / "config.json").write_text(json.dumps({"architecture": NAME}))
    assert convert(str(tmp_path / "model_best.pth.tar")).file.name == "model_best.pth.linnet.safetensors"


def test_a_run_is_converted_from_inside_its_folder(
    theirs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    convert(theirs, arch=NAME, out=tmp_path / "run" / "best.safetensors")
    monkeypatch.chdir(tmp_path / "run")
    assert convert(Path("."), to="timm").file == tmp_path / "run.timm.safetensors"


def test_a_full_disk_is_said_as_everywhere(theirs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("linnet.weights.tensors.save_file", full)
    for to in ("linnet", "timm"):
        with pytest.raises(DiskFull, match=r"No space left.*bytes needed"):
            convert(theirs, to=to, arch=NAME)
    assert list(theirs.parent.iterdir()) == [theirs]


def test_what_was_assumed_and_an_eps_that_differs_are_said(tmp_path: Path) -> None:
    torch.manual_seed(0)
    save_file(models.mobilenet_v3_small(num_classes=5).state_dict(), tmp_path / "tv.safetensors")
    ours = convert(tmp_path / "tv.safetensors", arch="mobilenet_v3_small")
    assert "those of mobilenetv3_small_100.IMAGENET1K_V1 are assumed" in str(ours)
    assert read_model(ours.file).arch.style.eps == 1e-3
    timms = convert(ours.file, to="timm")
    assert "need eps 0.001 in their norms, and timm's mobilenetv3_small_100 has 1e-05" in timms.to_json()["note"]
    assert convert(ours.file, to="torchvision").note == ""


def test_nothing_is_overwritten_and_wrong_names_are_answered(theirs: Path) -> None:
    convert(theirs, arch=NAME)
    with pytest.raises(FileError, match="there already"):
        convert(theirs, arch=NAME)
    with pytest.raises(SettingError, match="Did you mean 'torchvision'"):
        convert(theirs, to="torchvison", arch=NAME)
    with pytest.raises(WeightsError, match="not those of efficientnet_b0"):
        convert(theirs, arch="efficientnet_b0", out=theirs.with_name("x.safetensors"))
