from __future__ import annotations

import pytest
import timm
import torch
from interchange import agree, randomise
from timm.models import reparameterize_model
from timm_counts import counted
from torch import nn

from linnet.arch.names import find
from linnet.arch.repvit import NormClassifier, RepDown, RepViT
from linnet.arch.spec import Layer, Operator, Style
from linnet.nn.build import build
from linnet.nn.conv import ConvNorm, DropPath, SqueezeExcite
from linnet.nn.fold import fold
from linnet.nn.module import module
from linnet.nn.net import set_regularisation
from linnet.nn.repvit import NormHeads, NormLinear, RepViTBlock
from linnet.weights.keymap import to_linnet

STYLE = Style(act="gelu")


def built(op: Operator, cin: int, cout: int, stride: int = 1) -> nn.Module:
    return module(op, Layer(op, cin, cout, stride, (9, 12), 1, STYLE))


@pytest.mark.parametrize(
    ("op", "cout", "stride"), [(RepViT(se=True), 24, 1), (RepViT(), 24, 1), (RepDown(), 40, 2)], ids=str
)
def test_shapes_gates_and_residual_units(op: Operator, cout: int, stride: int) -> None:
    block = built(op, 24, cout, stride).eval()
    assert block(torch.randn(2, 24, 9, 12)).shape == (2, cout, -(-9 // stride), -(-12 // stride))
    assert sum(isinstance(m, DropPath) for m in block.modules()) == op.units
    assert sum(isinstance(m, SqueezeExcite) for m in block.modules()) == (op == RepViT(se=True))


@torch.no_grad()
def test_the_token_mixer_sums_three_branches_before_its_norm() -> None:
    block = built(RepViT(), 8, 8)
    assert isinstance(block, RepViTBlock)
    randomise(block)
    mixer, x = block.token_mixer, torch.randn(2, 8, 9, 12)
    before = x.clone()
    torch.testing.assert_close(mixer(x), mixer.norm(mixer.depthwise(x) + mixer.pointwise(x) + x))
    assert torch.equal(x, before)


@torch.no_grad()
def test_a_block_starts_with_its_token_mixer_alone() -> None:
    """Released code: the channel mixer's last norm starts at zero."""
    block = built(RepViT(), 8, 8).eval()
    assert isinstance(block, RepViTBlock)
    x = torch.randn(2, 8, 9, 12)
    assert torch.equal(block(x), block.token_mixer(x))


def test_squeezed_widths_are_rounded_to_8() -> None:
    widths = {
        layer.cout: module(layer.op, layer).gate.reduce.out_channels  # type: ignore[union-attr]
        for name in ("repvit_m0_9", "repvit_m1_0")
        for _, layer in find(name).layers()
        if layer.op == RepViT(se=True)
    }
    assert widths == {48: 16, 96: 24, 192: 48, 384: 96, 56: 16, 112: 32, 224: 56, 448: 112}


@torch.no_grad()
def test_the_two_classifiers_have_their_own_norms_and_are_averaged() -> None:
    heads = built(NormClassifier(5, heads=2), 12, 5)
    assert isinstance(heads, NormHeads)
    randomise(heads)
    first, second = heads
    x = torch.randn(4, 12)
    assert isinstance(first, NormLinear)
    torch.testing.assert_close(first(x), nn.functional.linear(first.norm(x), first.weight, first.bias))
    wanted = (first(x) + second(x)) / 2
    torch.testing.assert_close(heads(x), wanted)
    plain = NormHeads([first.folded(), second.folded()]).folded()
    assert type(plain) is nn.Linear
    torch.testing.assert_close(plain(x), wanted)


def test_one_classifier_stands_alone_and_none_leaves_the_features() -> None:
    assert isinstance(built(NormClassifier(5), 12, 5), NormLinear)
    assert isinstance(built(NormClassifier(0, heads=2), 12, 12), nn.Identity)


@torch.no_grad()
def test_weights_are_drawn_as_the_released_code_draws_them() -> None:
    net = build(find("repvit_m0_9"))
    for fc in net.get_classifier():  # type: ignore[attr-defined]
        assert float(fc.weight.std()) == pytest.approx(0.02, rel=0.02)
        assert not fc.bias.any()
    expand = net.stages[4][3].channel_mixer.expand  # type: ignore[index,union-attr]
    assert float(expand.weight.abs().max()) <= 1 / expand.weight[0].numel() ** 0.5


@pytest.mark.parametrize(
    ("name", "params", "madds"),
    [("repvit_m0_9", 5.1, 0.8), ("repvit_m1_0", 6.8, 1.1), ("repvit_m1_1", 8.2, 1.3), ("repvit_m1_5", 14.0, 2.3)],
)
def test_folded_counts_are_the_papers(name: str, params: float, madds: float) -> None:
    """Wang 2024, Table 2: millions and thousand millions, of inference with one classifier."""
    with torch.device("meta"):
        net = build(find(name))
    found = counted(fold(net), 224)
    assert (round(found.params / 1e6, 1), round(found.madds / 1e9, 1)) == (params, madds)
    assert found.bn_stats == 0


@torch.no_grad()
def test_folding_is_timms_reparameterisation() -> None:
    theirs, arch = randomise(timm.create_model("repvit_m0_9", num_classes=7)), find("repvit_m0_9").with_classes(7)
    net = build(arch).eval()
    net.load_state_dict(to_linnet(theirs.state_dict(), arch, "timm"))
    mine, other, x = fold(net), reparameterize_model(theirs).eval(), torch.randn(2, 3, 64, 64)
    assert agree(mine(x), other(x), 1e-4)  # timm folds in float32, and these weights make logits of ten millions
    assert sum(p.numel() for p in mine.parameters()) == sum(p.numel() for p in other.parameters())
    assert type(mine.get_classifier()) is nn.Linear
    assert all(type(block.token_mixer) is ConvNorm for block in mine.stages[4])  # type: ignore[union-attr]


def test_every_parameter_learns_in_either_layout_and_in_bf16() -> None:
    arch = find("repvit_m0_9").scaled(width=0.25, depth=0.3).with_classes(5)
    net = build(arch).to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    set_regularisation(net, dropout=0.1, drop_path=0.2)
    x = torch.randn(2, 3, 64, 64).to(memory_format=torch.channels_last)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        net(x).float().square().sum().backward()
    assert [name for name, p in net.named_parameters() if p.grad is None or not p.grad.isfinite().all()] == []
    net.eval()
    with torch.no_grad():
        assert agree(net(x), net.to(memory_format=torch.contiguous_format)(x.contiguous()))  # type: ignore[call-overload]
