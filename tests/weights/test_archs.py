from __future__ import annotations

import json

import pytest

from linnet.arch.names import known
from linnet.cli import show
from linnet.errors import SettingError
from linnet.weights.archs import Offer, Offers, archs, offers
from linnet.weights.pretrained import offered


def test_networks_by_pattern() -> None:
    assert archs() == list(known())
    assert archs("efficientnet_b0") == ["efficientnet_b0", "tf_efficientnet_b0"]
    with pytest.raises(SettingError, match="Did you mean"):
        archs("efficentnet_b0")


def test_sets_of_weights_with_accuracy_and_licence() -> None:
    found = archs("mobilevit_s", pretrained=True)
    assert isinstance(found, Offers)
    assert found.sets == (Offer("mobilevit_s.cvnets_in1k", 78.298, 256, "cvnets-license"),)
    assert str(found) == "mobilevit_s.cvnets_in1k  78.298 %  256 px  cvnets-license"


def test_the_tag_is_matched_too() -> None:
    names = [offer.name for offer in offers("*.a1_in1k").sets]
    assert "resnet50.a1_in1k" in names
    assert all(name.endswith(".a1_in1k") for name in names)
    assert [offer.name for offer in offers("resnet50.a1_*").sets] == ["resnet50.a1_in1k"]
    assert [offer.name for offer in offers().sets] == offered()
    with pytest.raises(SettingError, match=r"match 'resnet50.b9\*'.* --pretrained"):
        offers("resnet50.b9*")


def test_shown_in_columns_and_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    found = offers("mobilenetv1*")
    assert show(found, as_json=False) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == str(found).splitlines()
    assert len({line.index(" px") for line in lines}) == 1
    assert lines[1].split() == ["mobilenetv1_125.ra4_e3600_r224_in1k", "-", "224", "px", "Apache-2.0"]
    assert show(found, as_json=True) == 0
    assert json.loads(capsys.readouterr().out)[:2] == [
        {"name": "mobilenetv1_100.ra4_e3600_r224_in1k", "top1": 75.388, "image": 224, "licence": "Apache-2.0"},
        {"name": "mobilenetv1_125.ra4_e3600_r224_in1k", "top1": None, "image": 224, "licence": "Apache-2.0"},
    ]
