from __future__ import annotations

import pytest
import torch
from interchange import agree, randomise
from torch import Tensor, nn

from linnet.arch.names import find
from linnet.arch.spec import Arch, Style
from linnet.nn.build import build
from linnet.nn.conv import ConvNorm
from linnet.nn.fold import Foldable, absorb, affine, fold
from linnet.nn.net import Net


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


# -- networks of branches: small ones of every family that folds more than norms ---------------------------------------
FOLDABLE = ["mobileone_s0", "mobileone_s1", "repvit_m0_9", "efficientvit_b0"]


def small(name: str, output_stride: int = 0) -> Net:
    """Random weights and statistics, in evaluation. Half as wide where a quarter leaves no head of attention."""
    arch: Arch = find(name).scaled(width=0.5 if name == "efficientvit_b0" else 0.25, depth=0.3).with_classes(9)
    net = build(arch, output_stride=output_stride)
    randomise(net)
    return net


@pytest.mark.parametrize("name", FOLDABLE)
@pytest.mark.parametrize("side", [64, 97])
@torch.no_grad()
def test_branches_become_one_convolution_with_the_same_logits(name: str, side: int) -> None:
    net, x = small(name), torch.randn(2, 3, side, side)
    folded = fold(net)
    assert agree(folded(x), net(x))
    # Without float32's rounding nothing at all is left of the difference.
    assert agree(fold(net.double())(x.double()), net(x.double()), 1e-12)
    assert not any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in folded.modules())
    assert not any(m.training for m in folded.modules())
    assert sum(p.numel() for p in folded.parameters()) < sum(p.numel() for p in net.parameters())
    assert not any(isinstance(m, Foldable) for m in folded.modules())


@pytest.mark.parametrize("name", FOLDABLE)
@torch.no_grad()
def test_a_folded_network_keeps_type_layout_and_methods(name: str) -> None:
    net, x = small(name), torch.randn(2, 3, 64, 64)
    folded = fold(net)
    assert {p.dtype for p in folded.parameters()} == {torch.float32}
    assert folded.arch == net.arch
    assert folded.forward_head(folded.forward_features(x), pre_logits=True).shape == (2, net.num_features)
    for mine, other in zip(folded.features(x), net.features(x), strict=True):
        assert agree(mine, other)
    assert agree(folded.to(memory_format=torch.channels_last)(x.to(memory_format=torch.channels_last)), net(x))
    folded.reset_classifier(4)
    assert folded(x).shape == (2, 4)


@pytest.mark.parametrize("name", FOLDABLE)
@torch.no_grad()
def test_the_copy_shares_nothing_with_the_network(name: str) -> None:
    net = small(name)
    before = {key: value.clone() for key, value in net.state_dict().items()}
    folded = fold(net)
    mine = {tensor.data_ptr() for tensor in net.state_dict().values()}
    assert not mine & {tensor.data_ptr() for tensor in folded.state_dict().values()}
    for p in folded.parameters():
        p.zero_()
    assert net.state_dict().keys() == before.keys()
    assert all(torch.equal(net.state_dict()[key], before[key]) for key in before)


@pytest.mark.parametrize("name", FOLDABLE)
@torch.no_grad()
def test_dilated_networks_share_weights_and_fold_too(name: str) -> None:
    plain, dilated = small(name), small(name, output_stride=8)
    dilated.load_state_dict(plain.state_dict())
    x = torch.randn(1, 3, 64, 64)
    assert dilated.forward_features(x).shape[2:] == (8, 8)
    assert agree(fold(dilated)(x), dilated(x))


@pytest.mark.parametrize("name", FOLDABLE)
@torch.no_grad()
def test_what_is_folded_can_be_exported_for_any_batch(name: str) -> None:
    folded, x = fold(small(name)), torch.randn(3, 3, 64, 96)
    batch = torch.export.Dim("batch", min=1, max=64)
    program = torch.export.export(folded, (x[:2],), dynamic_shapes=({0: batch},))
    assert agree(program.module()(x), folded(x))


@torch.no_grad()
def test_a_network_on_the_meta_device_folds_to_shapes() -> None:
    with torch.device("meta"):
        net = build(find("mobileone_s0"))
    folded = fold(net)
    assert all(p.is_meta for p in folded.parameters())
    assert folded.state_dict()["stages.0.0.depthwise.weight"].shape == (48, 1, 3, 3)


class Twice(nn.Module):
    """x -> 2 * inner(x), which the inner one can do alone."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return 2 * self.inner(x)

    def folded(self) -> nn.Module:
        assert isinstance(self.inner, ConvNorm)  # its own parts were folded before
        assert isinstance(self.inner.norm, nn.Identity)
        assert self.inner.bias is not None
        assert self.inner.weight.dtype == torch.float64
        self.inner.weight *= 2
        self.inner.bias *= 2
        return self.inner


@torch.no_grad()
def test_any_module_may_say_what_it_folds_to_from_the_inside_out() -> None:
    net = build(find("mobilenetv2_035").with_classes(3))  # whose projections have no activation
    net.stages[0][0].project = Twice(Twice(net.stages[0][0].project))  # type: ignore[index,union-attr]
    randomise(net)
    assert isinstance(Twice(nn.Identity()), Foldable)
    folded, x = fold(net), torch.randn(1, 3, 32, 32)
    assert agree(folded(x), net(x))
    assert isinstance(folded.stages[0][0].project, ConvNorm)  # type: ignore[index,union-attr]


@torch.no_grad()
def test_a_batch_norm_is_a_scale_and_a_shift() -> None:
    norm, conv, x = nn.BatchNorm2d(6), nn.Conv2d(4, 6, 3), torch.randn(2, 4, 9, 9)
    randomise(nn.ModuleList([norm, conv]))
    wanted = norm(conv(x))
    scale, shift = affine(norm)
    torch.testing.assert_close(conv(x) * scale[:, None, None] + shift[:, None, None], wanted)
    absorb(conv, norm)
    torch.testing.assert_close(conv(x), wanted)


def test_a_convolution_with_another_norm_stays_as_it_is() -> None:
    net = build(find("mobilenetv1_025").with_classes(3))
    net.stages[0][0].project = ConvNorm(8, 16, 1, Style(norm="layer"))  # type: ignore[index,union-attr]
    project = fold(net).stages[0][0].project  # type: ignore[index,union-attr]
    assert isinstance(project.norm, nn.LayerNorm)
