from __future__ import annotations

import pytest
import timm
import torch
from interchange import agree, randomise
from timm.models import reparameterize_model
from timm_counts import counted
from torch import nn

from linnet.arch.mobileone import MobileOne, MobileOneConv
from linnet.arch.names import find
from linnet.arch.spec import Layer, Style
from linnet.nn.build import build
from linnet.nn.conv import ConvNorm, DropPath
from linnet.nn.fold import fold
from linnet.nn.mobileone import Branches, MobileOneBlock
from linnet.nn.module import module
from linnet.nn.net import set_regularisation
from linnet.weights.keymap import to_linnet


def block(
    op: MobileOne,
    cin: int,
    cout: int,
    stride: int = 1,
    dilation: int = 1,
    style: Style = Style(),  # noqa: B008  (frozen)
) -> MobileOneBlock:
    built = module(op, Layer(op, cin, cout, stride, (9, 12), dilation, style))
    assert isinstance(built, MobileOneBlock)
    return built


@pytest.mark.parametrize(
    ("cin", "cout", "stride", "around_depthwise", "around_project"),
    [(8, 8, 1, True, True), (8, 8, 2, False, True), (8, 16, 2, False, False), (8, 16, 1, False, False)],
)
def test_a_norm_of_the_input_stands_beside_where_the_shape_stays(
    cin: int, cout: int, stride: int, around_depthwise: bool, around_project: bool
) -> None:
    one = block(MobileOne(branches=3), cin, cout, stride)
    assert one.eval()(torch.randn(2, cin, 9, 12)).shape == (2, cout, -(-9 // stride), -(-12 // stride))
    assert (one.depthwise.skip is not None, one.project.skip is not None) == (around_depthwise, around_project)
    assert (len(one.depthwise.branches), len(one.project.branches)) == (3, 3)
    assert (one.depthwise.scale is not None, one.project.scale is not None) == (True, False)
    assert sum(isinstance(m, DropPath) for m in one.modules()) == around_depthwise + around_project


def test_the_stem_is_a_full_convolution_without_a_norm_of_its_input() -> None:
    op = MobileOneConv(k=3, branches=2)
    stem = module(op, Layer(op, 3, 8, 2, (9, 12), 1, Style()))
    assert isinstance(stem, Branches)
    assert (stem.skip, len(stem.branches)) == (None, 2)
    assert [m.groups for m in stem.modules() if isinstance(m, ConvNorm)] == [1, 1, 1]


@torch.no_grad()
def test_the_sum_is_that_of_all_branches() -> None:
    one = block(MobileOne(branches=2), 6, 6)
    randomise(one)
    x = torch.randn(2, 6, 9, 12)
    mixed = one.depthwise
    assert mixed.scale is not None
    assert mixed.skip is not None
    parts = [mixed.branches[0](x), mixed.branches[1](x), mixed.scale(x), mixed.skip(x)]
    torch.testing.assert_close(mixed(x), torch.stack(parts).sum(0).relu())


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("style", [Style(pad="same"), Style(norm="none"), Style(act="silu")], ids=str)
@torch.no_grad()
def test_it_folds_whatever_the_style(style: Style, stride: int) -> None:
    """TensorFlow's padding would move the k x k kernels against the 1 x 1 ones; without norms nothing would be learned."""
    one = block(MobileOne(branches=2), 8, 8, stride, style=style)
    randomise(one)
    x = torch.randn(1, 8, 10, 13, dtype=torch.float64)
    one.double()
    wanted = one(x)
    for mixed in (one.depthwise, one.project):
        for child in mixed.modules():
            if isinstance(child, ConvNorm):
                assert isinstance(child.norm, nn.BatchNorm2d)
    net = build(find("mobileone_s1").scaled(width=0.125, depth=0.1).with_classes(2)).eval()
    net.stages[0][0] = one  # type: ignore[index]
    plain = fold(net.double()).stages[0][0]  # type: ignore[index]
    assert agree(plain(x), wanted, 1e-12)
    assert type(plain.depthwise) is type(plain.project) is ConvNorm


@pytest.mark.parametrize(
    ("name", "params", "madds"),
    [("mobileone_s0", 2.1, 275), ("mobileone_s1", 4.8, 825), ("mobileone_s2", 7.8, 1299)],
)
def test_folded_counts_are_the_papers(name: str, params: float, madds: int) -> None:
    """Vasu 2023, millions; the paper gives those of inference, our tables those of training."""
    with torch.device("meta"):
        net = build(find(name))
    found = counted(fold(net), 224)
    assert (round(found.params / 1e6, 1), found.bn_stats, found.attention_madds) == (params, 0, 0)
    assert abs(found.madds / 1e6 - madds) < 1


@pytest.mark.parametrize("name", ["mobileone_s0", "mobileone_s1"])
@torch.no_grad()
def test_folding_is_timms_reparameterisation(name: str) -> None:
    theirs, arch = randomise(timm.create_model(name, num_classes=7)), find(name).with_classes(7)
    net = build(arch).eval()
    net.load_state_dict(to_linnet(theirs.state_dict(), arch, "timm"))
    mine, other, x = fold(net), reparameterize_model(theirs).eval(), torch.randn(2, 3, 64, 64)
    assert agree(mine(x), other(x))
    assert sum(p.numel() for p in mine.parameters()) == sum(p.numel() for p in other.parameters())


def test_every_branch_learns_in_either_layout_and_in_bf16() -> None:
    arch = find("mobileone_s0").scaled(width=0.25, depth=0.3).with_classes(5)
    net = build(arch).to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    set_regularisation(net, dropout=0.1, drop_path=0.2)
    x = torch.randn(2, 3, 64, 64).to(memory_format=torch.channels_last)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        net(x).float().square().sum().backward()
    assert [name for name, p in net.named_parameters() if p.grad is None or not p.grad.isfinite().all()] == []
    net.eval()
    with torch.no_grad():
        assert agree(net(x), net.to(memory_format=torch.contiguous_format)(x.contiguous()))  # type: ignore[call-overload]


@torch.no_grad()
def test_weights_are_drawn_as_pytorch_draws_them() -> None:
    """The released code leaves them so; branches must not start alike."""
    first, second, *_ = build(find("mobileone_s0")).stages[1][2].project.branches  # type: ignore[index,union-attr]
    assert not torch.equal(first.weight, second.weight)
    assert float(first.weight.abs().max()) <= 1 / first.weight[0].numel() ** 0.5
