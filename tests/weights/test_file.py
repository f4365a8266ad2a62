from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from linnet.arch.names import find
from linnet.data.preprocess import Preprocess
from linnet.errors import WeightsError
from linnet.files import sha256_file
from linnet.nn.build import build
from linnet.weights.file import read_weights
from linnet.weights.keymap import from_linnet
from linnet.weights.model import Model, write_model
from linnet.weights.pretrained import catalogue

ARCH = find("mobilenetv3_small_050").with_classes(7)


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return build(ARCH).state_dict()


def equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


@pytest.mark.parametrize("dialect", ["timm", "torchvision", "linnet"])
def test_any_names_are_understood_with_their_number_of_classes(
    dialect: str, state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "model.safetensors"
    theirs = state if dialect == "linnet" else from_linnet(state, ARCH, dialect)
    save_file({k: v.contiguous().clone() for k, v in theirs.items()}, path)
    model = read_weights(path, find("mobilenetv3_small_050"))
    assert model.arch == ARCH
    assert equal(dict(model.state), state)
    with pytest.raises(WeightsError, match="--arch NAME"):
        read_weights(path)
    (tmp_path / "config.json").write_text(json.dumps({"architecture": "mobilenetv3_small_050"}))
    assert read_weights(path).arch == ARCH


@pytest.mark.parametrize(
    "name", ["squeezenet1_1", "repvit_m0_9", "deit_tiny_distilled_patch16_224", "mobilenetv3_small_050"]
)
def test_plain_files_of_linnets_names_tell_their_classes(name: str, tmp_path: Path) -> None:
    arch = find(name).with_classes(7)
    state = build(arch).state_dict()
    save_file(state, tmp_path / "model.safetensors")
    model = read_weights(tmp_path / "model.safetensors", find(name))
    assert (model.arch, len(model.classes)) == (arch, 7)
    assert equal(dict(model.state), state)


def test_plain_files_of_linnets_names_are_held_against_the_network(
    state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    def read(changed: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        save_file(changed, tmp_path / "model.safetensors")
        return dict(read_weights(tmp_path / "model.safetensors", ARCH).state)

    assert equal(read({k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}), state)
    with pytest.raises(WeightsError, match=r"not known extra\."):
        read(state | {"extra": torch.zeros(1)})
    with pytest.raises(WeightsError, match=r"of another shape stem\.0\.0\.weight"):
        read(state | {"stem.0.0.weight": torch.zeros(1)})


def test_what_a_foreign_file_does_not_say_is_that_of_its_librarys_weights(tmp_path: Path) -> None:
    arch = find("mobilenetv3_small_100").with_classes(7)
    state = build(arch).state_dict()
    path = tmp_path / "model.safetensors"
    for dialect, eps, crop, tag in (
        ("torchvision", 1e-3, "bilinear", "IMAGENET1K_V1"),
        ("timm", arch.style.eps, "bicubic", "lamb_in1k"),
    ):
        save_file({k: v.clone() for k, v in from_linnet(state, arch, dialect).items()}, path)
        model = read_weights(path, arch)
        assert (model.arch.style.eps, model.preprocess.interpolation) == (eps, crop)
        assert f"those of mobilenetv3_small_100.{tag} are assumed" in model.facts["assumed"]
        assert (model.facts["licence"]["name"], model.facts["source"]) == ("unknown", str(path))
    save_file(state, path)
    assert "Linnet's usual ones" in read_weights(path, arch).facts["assumed"]


def test_a_published_file_is_known_by_its_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = from_linnet(build(find("mobilenetv3_small_100")).state_dict(), find("mobilenetv3_small_100"), "timm")
    save_file({k: v.clone() for k, v in state.items()}, tmp_path / "model.safetensors")
    key = "mobilenetv3_small_100.IMAGENET1K_V1"
    sha256 = sha256_file(tmp_path / "model.safetensors")[:8]
    monkeypatch.setitem(catalogue(), key, replace(catalogue()[key], sha256=sha256))
    model = read_weights(tmp_path / "model.safetensors", find("mobilenetv3_small_100"))
    assert (model.preprocess, model.arch.style.eps) == (catalogue()[key].preprocess, 1e-3)
    assert "assumed" not in model.facts


def test_linnets_own_file_says_all_itself(state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    model = Model(ARCH, tuple("abcdefg"), Preprocess(image=64), state)
    write_model(tmp_path / "best.safetensors", model)
    for path in (tmp_path, tmp_path / "best.safetensors"):
        found = read_weights(path)
        assert (found.arch, found.classes, found.preprocess) == (model.arch, model.classes, model.preprocess)
    assert read_weights(tmp_path, find("mobilenetv3_small_050")).arch == ARCH
    with pytest.raises(WeightsError, match="whose rows are not those of the efficientnet_b0 asked for"):
        read_weights(tmp_path, find("efficientnet_b0"))


def test_weights_of_another_network_name_the_first_keys(state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file({k: v.contiguous().clone() for k, v in from_linnet(state, ARCH, "timm").items()}, path)
    with pytest.raises(WeightsError, match=r"not those of efficientnet_b0: missing .*and \d+ more"):
        read_weights(path, find("efficientnet_b0"))
