from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from linnet.arch.names import find
from linnet.arch.resnet import BasicBlock, Bottleneck
from linnet.arch.spec import Layer, Style
from linnet.nn.build import build
from linnet.nn.conv import SqueezeExcite
from linnet.nn.fold import fold
from linnet.nn.module import module
from linnet.nn.net import set_regularisation
from linnet.nn.resnet import Halving, Residual

OPS = [
    BasicBlock(), BasicBlock(se=0.25, pooled=True), Bottleneck(), Bottleneck(pooled=True), Bottleneck(groups=4, width=32),
    Bottleneck(se=1 / 16),
]  # fmt: skip


@pytest.mark.parametrize("op", OPS, ids=str)
@pytest.mark.parametrize(("cout", "stride", "dilation"), [(32, 1, 1), (32, 2, 1), (64, 1, 1), (64, 1, 2), (64, 2, 1)])
def test_shape_and_projection(op: BasicBlock | Bottleneck, cout: int, stride: int, dilation: int) -> None:
    layer = Layer(op, 32, cout, stride, (9, 12), dilation, Style())
    block = module(op, layer).eval()
    assert isinstance(block, Residual)
    x = torch.randn(2, *layer.input_shape)
    kept = x.clone()
    y = block(x)
    assert y.shape == (2, *layer.output_shape)
    assert torch.equal(x, kept)  # nothing was added to the input in its place
    assert bool((y >= 0).all())
    assert isinstance(block.shortcut, nn.Identity) is (stride == 1 and cout == 32)
    assert isinstance(block.gate, SqueezeExcite) is bool(op.se)


def test_an_empty_branch_leaves_the_input() -> None:
    for op in (BasicBlock(), Bottleneck()):
        block = module(op, Layer(op, 16, 16, 1, (6, 6), 1, Style())).eval()
        last = block.second if isinstance(op, BasicBlock) else block.expand
        nn.init.zeros_(last.norm.weight)
        x = torch.randn(2, 16, 6, 6)
        assert torch.equal(block(x), x.relu())


def test_the_stride_is_in_the_3x3() -> None:
    op = Bottleneck(groups=8, width=16)
    block = module(op, Layer(op, 64, 128, 2, (8, 8), 1, Style()))
    assert [conv.stride[0] for conv in (block.squeeze, block.spatial, block.expand)] == [1, 2, 1]
    assert (block.spatial.groups, block.spatial.in_channels) == (8, op.inner(128))


def test_the_squeezed_width_is_timms() -> None:
    net = build(find("seresnet50").with_classes(2))
    assert [row[0].gate.reduce.out_channels for row in net.stages] == [16, 32, 64, 128]  # type: ignore[union-attr,index]
    op = Bottleneck(se=1 / 16)
    assert module(op, Layer(op, 320, 320, 1, (4, 4), 1, Style())).gate.reduce.out_channels == 24  # 20 is rounded up


def test_a_pooled_shortcut_averages_what_is_inside() -> None:
    x = torch.arange(15.0).reshape(1, 1, 3, 5)
    assert Halving(2)(x).tolist() == [[[[3, 5, 6.5], [10.5, 12.5, 14]]]]
    assert Halving(1)(x).shape == x.shape
    assert Halving(1)(x)[0, 0, 0].tolist()[:2] == [3, 4]


@torch.no_grad()
def test_the_map_stays_at_output_stride_8() -> None:
    arch = find("resnet50d").scaled(width=0.125).with_classes(4)
    plain, dilated = build(arch).eval(), build(arch, output_stride=8).eval()
    dilated.load_state_dict(plain.state_dict())
    x = torch.randn(1, 3, 72, 72)
    assert (plain.features(x)[-1].shape[2:], dilated.features(x)[-1].shape[2:]) == ((3, 3), (9, 9))


def small(name: str) -> nn.Module:
    return build(find(name).scaled(width=0.125).with_classes(5))


@pytest.mark.parametrize("name", ["resnet18", "resnet50d", "seresnet50"])
def test_any_memory_format_gives_the_same_and_bf16_trains(name: str) -> None:
    net, x = small(name).eval(), torch.randn(2, 3, 64, 48)
    with torch.no_grad():
        torch.testing.assert_close(net(x.to(memory_format=torch.channels_last)), net(x), rtol=1e-4, atol=1e-5)
    set_regularisation(net.train(), drop_path=0.3)  # type: ignore[arg-type]
    with torch.autocast("cpu", torch.bfloat16):
        loss = net(x).float().square().mean()
    loss.backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in net.parameters())


@torch.no_grad()
def test_norms_fold_and_the_batch_is_free_in_an_export() -> None:
    net, x = small("resnet50d").eval(), torch.randn(3, 3, 64, 64)
    wanted = net(x)

    def near(y: Tensor) -> bool:
        return bool((y - wanted).abs().max() <= 1e-5 * max(1.0, float(wanted.abs().max())))

    assert near(fold(net)(x))  # type: ignore[arg-type]
    batch = torch.export.Dim("batch", min=1, max=64)
    program = torch.export.export(net, (torch.randn(2, 3, 64, 64),), dynamic_shapes=({0: batch},))
    assert near(program.module()(x))
