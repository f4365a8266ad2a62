from __future__ import annotations

from dataclasses import replace

import pytest
import timm
from interchange import check, check_features, check_names, check_timm, check_torchvision
from torchvision import models
from torchvision.models import resnet as reference

from linnet.arch.names import find
from linnet.arch.resnet import ARCHS
from linnet.arch.spec import Arch
from linnet.errors import SettingError
from linnet.nn.build import build
from linnet.weights.keymap import pairs, spoken
from linnet.weights.model import load_exactly

NAMES = [arch.name for arch in ARCHS]
IN_TORCHVISION = [name for name in NAMES if name in models.list_models()]
SHORT = (1, 2, 1, 1)  # layers of each row: every kind of block stands in the first two


def short(name: str) -> Arch:
    arch = find(name).with_classes(11)
    return replace(arch, stages=tuple(replace(s, layers=n) for s, n in zip(arch.stages, SHORT, strict=True)))


def test_resnet18_answers_as_timms_and_torchvisions() -> None:
    check_timm("resnet18")
    check_torchvision("resnet18")


@pytest.mark.parametrize("name", ["resnet50", "resnet50d", "resnext50_32x4d", "seresnet50"])
def test_bottlenecks_answer_as_timms(name: str) -> None:
    check(short(name), timm.create_model(name, num_classes=11, layers=SHORT), "timm", (64, 97))


@pytest.mark.parametrize("name", ["resnet50", "resnext50_32x4d"])
def test_bottlenecks_answer_as_torchvisions(name: str) -> None:
    groups = {"groups": 32, "width_per_group": 4} if name.startswith("resnext") else {}
    theirs = reference.ResNet(reference.Bottleneck, list(SHORT), num_classes=11, **groups)  # type: ignore[arg-type]
    check(short(name), theirs, "torchvision", (64, 97))


@pytest.mark.parametrize("name", NAMES)
def test_every_network_has_timms_names_and_features(name: str) -> None:
    check_names(name, "timm")
    check_features(name)


@pytest.mark.parametrize("name", IN_TORCHVISION)
def test_every_network_has_torchvisions_names(name: str) -> None:
    check_names(name, "torchvision")


def test_what_torchvision_lacks_is_said() -> None:
    assert sorted(set(NAMES) - set(IN_TORCHVISION)) == ["resnet50d", "seresnet50"]
    for name in ("resnet50d", "seresnet50"):
        assert spoken(find(name)) == ["timm"]
        with pytest.raises(SettingError, match=f"torchvision has no network like {name}; timm has"):
            pairs(find(name), "torchvision")


@pytest.mark.parametrize("name", ["resnet50", "resnet50d"])
def test_dilated_networks_answer_as_timms(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """At output stride 8, also where a shortcut that averages has lost its stride."""

    def dilated(arch: Arch) -> object:
        return build(arch, output_stride=8)

    monkeypatch.setattr("interchange.build", dilated)
    theirs = timm.create_model(name, num_classes=11, layers=SHORT, output_stride=8)
    check(short(name), theirs, "timm", (64,))
    plain = build(short(name))
    load_exactly(plain, dilated(short(name)).state_dict(), what=name)  # type: ignore[attr-defined]
