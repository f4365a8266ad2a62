from __future__ import annotations

import json

import pytest
import timm

from linnet.arch.names import ALIASES, archs, find, known
from linnet.arch.spec import Arch
from linnet.errors import SettingError

# Widths that papers and TF-slim name and timm builds without registering, and V2's small ones without the `tf_`.
NOT_IN_TIMM = {
    "mobilenetv1_025", "mobilenetv1_050", "mobilenetv1_075", "mobilenetv2_130",
    "mobilenetv3_large_035", "mobilenetv3_large_050", "mobilenetv3_large_125", "mobilenetv3_large_minimal_100",
    "mobilenetv3_small_035", "mobilenetv3_small_125", "mobilenetv3_small_minimal_100", "semnasnet_035", "mnasnet_130",
    "efficientnetv2_b0", "efficientnetv2_b1", "efficientnetv2_b2", "efficientnetv2_b3",
    "nasnetamobile", "shufflenet_v1_g3", "shufflenet_v1_g8", "shufflenet_v1_x2_0_g3",
    "shufflenet_v2_x0_5", "shufflenet_v2_x1_0", "shufflenet_v2_x1_5", "shufflenet_v2_x2_0",
    "squeezenet1_0", "squeezenet1_1", "alexnet", "alexnet_2012", "lenet5", "googlenet", "googlenet_original",
}  # fmt: skip


def test_names_are_timms() -> None:
    assert {name for name in known() if not timm.is_model(name)} == NOT_IN_TIMM
    assert all(arch.name == name for name, arch in known().items())


@pytest.mark.parametrize("name", known())
def test_every_network_survives_json_and_scaling_by_one(name: str) -> None:
    arch = find(name)
    assert Arch.from_json(json.loads(json.dumps(arch.to_json()))) == arch
    assert arch.scaled() == arch
    assert arch.source
    assert arch.classes == (10 if name == "lenet5" else 1000)


@pytest.mark.parametrize(
    ("given", "canonical"),
    [
        ("EfficientNetB3", "efficientnet_b3"),
        ("efficientnet-b0", "efficientnet_b0"),
        ("EfficientNetV2S", "efficientnetv2_s"),
        ("efficientnet_v2_l", "efficientnetv2_l"),
        ("MobileNetV3Large", "mobilenetv3_large_100"),
        ("mobilenet_v2", "mobilenetv2_100"),
        ("mnasnet1_3", "mnasnet_130"),
        ("MnasNet-A1", "semnasnet_100"),
        ("mnasnet1.3", "mnasnet_130"),
        ("efficientnet_b0.ra_in1k", "efficientnet_b0"),
        ("MobileNet-V2.in1k", "mobilenetv2_100"),
        ("timm/mobilenetv2_100.ra_in1k", "mobilenetv2_100"),
        ("hf-hub:timm/mobilenetv2_100.ra_in1k", "mobilenetv2_100"),
        ("repvit_m1.0.dist_450e_in1k", "repvit_m1_0"),
    ],
)
def test_other_spellings_are_accepted(given: str, canonical: str) -> None:
    assert find(given) is known()[canonical]


def test_every_alias_leads_to_a_network() -> None:
    assert {ALIASES[alias] for alias in ALIASES} <= known().keys()
    assert not ALIASES.keys() & known().keys()


def test_an_unknown_name_says_what_is_near() -> None:
    with pytest.raises(SettingError, match=r"No network is called 'mobilenetv3_smal'\. Did you mean 'mobilenet"):
        find("mobilenetv3_smal")


def test_archs_lists_by_pattern_or_part_of_a_name() -> None:
    assert archs() == list(known())
    assert archs("*lite?") == [n for n in known() if "lite" in n]
    assert archs("mnasnet_small") == ["mnasnet_small"]
    with pytest.raises(SettingError, match="No network matches 'perceptron'"):
        archs("perceptron")
