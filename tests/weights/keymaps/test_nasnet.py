"""NASNet-A large is timm's; the mobile one is timm's cells in the order of Cadene's nasnet_mobile.py."""

from __future__ import annotations

import pytest
import timm
import torch
from interchange import check
from timm.layers.pool2d_same import AvgPool2dSame
from timm.models.nasnet import NASNetALarge
from timm_counts import counted
from torch import Tensor
from torch.nn import functional as F

from linnet.arch.names import find
from linnet.cost.count import count
from linnet.nn.build import build
from linnet.weights.keymap import pairs, to_linnet

SIDES = (64, 97, (75, 98))


class Mobile(NASNetALarge):
    """Four cells between reductions, numbered as Cadene does; the cell below a reduction sees the one right above it.

    Source: Cadene/pretrained-models.pytorch nasnet_mobile.py, NASNetAMobile.features.
    """

    def __init__(self, num_features: int = 1056, num_classes: int = 1000) -> None:
        super().__init__(num_classes, stem_size=32, num_features=num_features)
        for i in (4, 5, 10, 11, 16, 17):
            delattr(self, f"cell_{i}")

    def forward_features(self, x: Tensor) -> Tensor:
        before = self.conv0(x)
        stem = self.cell_stem_0(before)
        last, before = self.cell_stem_1(before, stem), stem
        for name in ("cell_0", "cell_1", "cell_2", "cell_3", "reduction_cell_0", "cell_6", "cell_7", "cell_8", "cell_9",
                     "reduction_cell_1", "cell_12", "cell_13", "cell_14", "cell_15"):  # fmt: skip
            last, before = self.get_submodule(name)(last, before), last
        return self.act(last)


def tensorflows(self: AvgPool2dSame, x: Tensor) -> Tensor:
    """The mean over the pixels that a window has; timm's divides by those of its padding too."""

    def summed(y: Tensor) -> Tensor:
        h, w = ((-(-n // 2) - 1) * 2 + 3 - n for n in y.shape[2:])
        return F.avg_pool2d(F.pad(y, (w // 2, w - w // 2, h // 2, h - h // 2)), 3, 2)

    return summed(x) / summed(torch.ones_like(x))


def theirs_of(name: str) -> dict[str, torch.Size]:
    return {p.theirs: p.their_shape for p in pairs(find(name), "timm")}


def test_logits_of_a_narrow_one_equal_timms() -> None:
    arch = find("nasnetalarge").scaled(width=192 / 4032).with_classes(11)
    check(arch, NASNetALarge(11, num_features=192), "timm", SIDES)


def test_names_features_and_counts_of_the_large_one_are_timms() -> None:
    with torch.device("meta"):
        theirs = timm.create_model("nasnetalarge")
    assert theirs_of("nasnetalarge") == {name: tensor.shape for name, tensor in theirs.state_dict().items()}
    features = [(f["num_chs"], f["reduction"]) for f in theirs.feature_info]
    assert [f[1:] for f in find("nasnetalarge").features()] == features
    total = count(find("nasnetalarge"), 331).total
    assert (total.params, total.bn_stats, total.madds, total.attention_madds) == counted(theirs, 331)


def test_logits_of_the_mobile_one_equal_those_of_timms_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AvgPool2dSame, "forward", tensorflows)
    check(find("nasnetamobile").with_classes(11), Mobile(num_classes=11), "timm", (64, 97))


def test_names_and_counts_of_the_mobile_one_are_those_of_timms_cells() -> None:
    with torch.device("meta"):
        theirs = Mobile()
    assert theirs_of("nasnetamobile") == {name: tensor.shape for name, tensor in theirs.state_dict().items()}
    total = count(find("nasnetamobile"), 224).total
    assert (total.params, total.bn_stats, total.madds, total.attention_madds) == counted(theirs, 224)


def test_features_of_a_narrow_one_have_timms_values() -> None:
    arch = find("nasnetalarge").scaled(width=192 / 4032).with_classes(11)
    theirs = NASNetALarge(11, num_features=192).eval()
    ours = build(arch).eval()
    ours.load_state_dict(to_linnet(theirs.state_dict(), arch, "timm"))
    x = torch.randn(1, 3, 97, 97)
    with torch.no_grad():
        for mine, other in zip(ours.features(x), theirs.forward_intermediates(x, intermediates_only=True), strict=True):
            torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-5)
