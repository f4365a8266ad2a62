from __future__ import annotations

import pytest
import torch
from torch import nn

from linnet.arch.names import find
from linnet.nn.build import build
from linnet.nn.fold import fold


@pytest.mark.parametrize(
    "name", ["mobilenetv1_025", "mobilenetv3_small_050", "tf_efficientnet_lite0", "efficientnetv2_b0"]
)
@torch.no_grad()
def test_logits_stay_and_batch_norms_go(name: str) -> None:
    net = build(find(name).with_classes(9))
    for m in net.modules():
        if isinstance(m, nn.BatchNorm2d):
            nn.init.uniform_(m.weight, 0.5, 1.5)
            nn.init.uniform_(m.bias, -0.3, 0.3)
            nn.init.uniform_(m.running_mean, -0.3, 0.3)  # type: ignore[arg-type]
            nn.init.uniform_(m.running_var, 0.5, 1.5)  # type: ignore[arg-type]
    net.eval()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    folded = fold(net)
    x = torch.randn(2, 3, 65, 65)
    wanted = net(x)
    assert (folded(x) - wanted).abs().max() <= 1e-5 * max(1.0, float(wanted.abs().max()))
    assert not any(isinstance(m, nn.BatchNorm2d) for m in folded.modules())
    assert not folded.training
    assert all(torch.equal(net.state_dict()[key], before[key]) for key in before)
