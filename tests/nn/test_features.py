from __future__ import annotations

import pytest
import torch

from linnet.arch.names import find
from linnet.arch.spec import Arch
from linnet.errors import SettingError
from linnet.nn.build import build
from linnet.nn.features import FeatureNet


def test_maps_are_those_that_the_info_promises() -> None:
    net = build(find("mobilenetv3_small_050")).eval()
    backbone = FeatureNet(net, out_indices=(1, 3, -1)).eval()
    x = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        maps = backbone(x)
        whole = net.features(x)
    assert [m.shape[1] for m in maps] == backbone.feature_info.channels()
    assert [64 // m.shape[2] for m in maps] == backbone.feature_info.reduction()
    assert all(torch.equal(a, whole[i]) for a, i in zip(maps, (1, 3, -1), strict=True))
    assert backbone.feature_info.channels(0) == backbone.feature_info[0].channels
    assert backbone.feature_info.reduction([0, 1]) == backbone.feature_info.reduction()[:2]


def test_the_table_is_walked_at_construction_and_once_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = FeatureNet(build(find("mobilenetv3_small_050")))
    walks: list[object] = []
    features = Arch.features
    monkeypatch.setattr(Arch, "features", lambda *a, **k: walks.append(a) or features(*a, **k))
    backbone.eval()(torch.zeros(1, 3, 64, 64))
    assert len(walks) <= 1


def test_what_the_net_says_of_its_pictures_is_said() -> None:
    backbone = FeatureNet(build(find("mobilenetv3_small_050")))
    backbone.net.pretrained_cfg = {"crop_pct": 1.0}
    assert backbone.pretrained_cfg == backbone.default_cfg == {"crop_pct": 1.0}


def test_an_index_that_is_not_there_is_named() -> None:
    with pytest.raises(SettingError, match="has 5 feature maps, at strides 2, 4, 8, 16, 32"):
        FeatureNet(build(find("mobilenetv3_small_050")), out_indices=(5,))
