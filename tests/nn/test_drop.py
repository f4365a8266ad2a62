from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from linnet.arch.names import find
from linnet.arch.spec import Arch
from linnet.errors import SettingError
from linnet.nn.build import build
from linnet.nn.drop import Dropout, DropPath, Part, see_part


def seeded(m: nn.Module, x: torch.Tensor, part: Part | None) -> torch.Tensor:
    see_part(m, part)
    torch.manual_seed(3)
    return m(x)


@pytest.fixture
def dropping() -> nn.Module:
    path = DropPath()
    path.rate = 0.4
    return nn.Sequential(path, Dropout(0.3), DropPath(), Dropout(0.2)).train()


def test_parts_drop_what_the_whole_batch_drops(dropping: nn.Module) -> None:
    x = torch.randn(12, 7)
    whole = seeded(dropping, x, None)
    assert (whole == 0).any()
    parts = [seeded(dropping, x[a:b], Part(a, 12)) for a, b in ((0, 5), (5, 6), (6, 12))]
    assert torch.equal(torch.cat(parts), whole)


# A network of every block that drops; in their family's size, or at 64 pixels where it takes them.
DROPPING = (
    "mobilenetv2_035", "mobilenetv3_small_035", "mobilenetv4_conv_small_035", "mobilenetv4_hybrid_medium_075", "mnasnet_small",
    "efficientnet_b0", "mobilevit_xxs", "mobilevitv2_050", "mobileone_s0", "repvit_m0_9", "efficientvit_b0", "ghostnet_050",
    "convnext_tiny", "vit_tiny_patch16_224", "swin_tiny_patch4_window7_224", "swinv2_tiny_window8_256", "resnet18",
    "resnet50", "legacy_xception", "shufflenet_v1_g3",
)  # fmt: skip


def at_64(arch: Arch) -> Arch:
    try:
        list(arch.layers(64))
        return replace(arch, image=64)
    except SettingError:
        return arch


@pytest.mark.parametrize("name", DROPPING)
def test_every_family_drops_in_parts_what_it_drops_whole(name: str) -> None:
    net, kept = build(at_64(find(name)).with_classes(3)).eval(), list[torch.Tensor]()
    dropping = [m for m in net.modules() if isinstance(m, DropPath)]
    for m in dropping:  # of ones, so that what comes out is what was drawn, whatever the weights
        m.train().rate = 0.4
        m.register_forward_pre_hook(lambda _, x: torch.ones_like(x[0]))
        m.register_forward_hook(lambda _, x, y: kept.append(y.flatten(1)[:, 0].clone()))

    def drawn(x: torch.Tensor, part: Part | None) -> list[torch.Tensor]:
        kept.clear()
        with torch.no_grad():
            seeded(net, x, part)
        assert len(kept) == len(dropping) > 0
        return list(kept)

    x = torch.randn(4, 3, net.arch.image, net.arch.image)
    whole, first, rest = drawn(x, None), drawn(x[:1], Part(0, 4)), drawn(x[1:], Part(1, 4))
    assert any((one == 0).any() for one in whole)
    for one, *parts in zip(whole, first, rest, strict=True):
        assert torch.equal(torch.cat(parts), one)


def test_a_whole_batch_draws_what_torch_draws() -> None:
    x = torch.randn(6, 5)
    ours, theirs = Dropout(0.3).train(), nn.Dropout(0.3).train()
    torch.manual_seed(0)
    expected = theirs(x)
    torch.manual_seed(0)
    assert torch.equal(ours(x), expected)


def test_in_evaluation_nothing_drops(dropping: nn.Module) -> None:
    x = torch.randn(4, 3)
    see_part(dropping, Part(2, 8))
    assert torch.equal(dropping.eval()(x), x)
