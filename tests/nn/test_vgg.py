from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from linnet.arch.names import find
from linnet.arch.spec import Arch, Layer, Linear, Style
from linnet.arch.vgg import BiasedConv, GridPool, ResponseNorm, Subsample
from linnet.nn.build import build
from linnet.nn.fold import fold
from linnet.nn.module import module
from linnet.nn.net import Net


def small(name: str, image: int = 0) -> Net:
    arch: Arch = find(name).scaled(width=0.125, image=image or None).with_classes(5)
    head = tuple(replace(op, c=16) if isinstance(op, Linear) else op for op in arch.head)
    return build(replace(arch, head=head)).eval()


@pytest.mark.parametrize("size", [(7, 7), (2, 3), (8, 14), (5, 9)])
def test_a_map_becomes_a_grid_of_its_averages(size: tuple[int, int]) -> None:
    op = GridPool(k=7)
    layer = Layer(op, 4, op.out_channels(4, 0, size), 1, size, 1, Style())
    x = torch.randn(2, *layer.input_shape)
    y = module(op, layer)(x)
    assert y.shape == (2, *layer.output_shape)
    if size == (7, 7):
        assert torch.equal(y, x.flatten(1))
    else:
        torch.testing.assert_close(y, F.adaptive_avg_pool2d(x, 7).flatten(1))


def test_response_normalisation_is_the_papers_formula() -> None:
    op = ResponseNorm(k=2, n=5, alpha=0.3, beta=0.75)
    x = torch.randn(2, 9, 3, 4)
    layer = Layer(op, 9, 9, 1, (3, 4), 1, Style())
    wanted = torch.empty_like(x)
    for i in range(9):
        near = x[:, max(0, i - 2) : i + 3]
        wanted[:, i] = x[:, i] / (2 + 0.3 * near.square().sum(1)) ** 0.75
    torch.testing.assert_close(module(op, layer)(x), wanted)


def test_subsampling_drops_what_does_not_fill_a_window() -> None:
    layer = Layer(Subsample(k=2), 3, 3, 2, (5, 6), 1, Style())
    x = torch.randn(1, 3, 5, 6)
    y = module(layer.op, layer)(x)
    assert tuple(y.shape[1:]) == layer.output_shape == (3, 2, 3)
    torch.testing.assert_close(y[0, 0, 0, 0], x[0, 0, :2, :2].mean())


@torch.no_grad()
def test_a_convolution_keeps_its_bias_before_a_norm() -> None:
    op = BiasedConv(k=3)
    conv = module(op, Layer(op, 3, 8, 1, (6, 6), 1, Style())).eval()
    assert isinstance(conv.norm, nn.BatchNorm2d)
    assert conv.bias is not None
    x = torch.randn(2, 3, 6, 6)
    before = conv(x)
    conv.bias += 1
    torch.testing.assert_close(conv(x), (F.conv2d(x, conv.weight, conv.bias, padding=1) / (1 + 1e-5) ** 0.5).relu())
    assert not torch.equal(conv(x), before)


@torch.no_grad()
def test_a_folded_norm_takes_the_bias_with_it() -> None:
    net = small("vgg16_bn", 64)
    for m in net.modules():
        if isinstance(m, nn.BatchNorm2d):
            nn.init.uniform_(m.weight, 0.5, 1.5)
            nn.init.uniform_(m.running_mean, -0.3, 0.3)  # type: ignore[arg-type]
            nn.init.uniform_(m.running_var, 0.5, 1.5)  # type: ignore[arg-type]
        elif isinstance(m, nn.Conv2d):
            nn.init.uniform_(m.bias, -0.5, 0.5)  # type: ignore[arg-type]
    x = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(fold(net)(x), net(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("name", "sides"), [("vgg16", (32, 80)), ("vgg16_bn", (64,)), ("alexnet", (63, 128)),
                                             ("alexnet_2012", (67, 100)), ("lenet5", (32, 45))])  # fmt: skip
@torch.no_grad()
def test_images_of_any_size_from_the_smallest_on(name: str, sides: tuple[int, ...]) -> None:
    net = small(name)
    for side in sides:
        x = torch.randn(2, 3, side, side + 5)
        y = net(x)
        assert y.shape == (2, 5)
        torch.testing.assert_close(net(x.to(memory_format=torch.channels_last)), y, rtol=1e-4, atol=1e-5)


def test_lenet5_has_its_61706_weights_with_one_channel() -> None:
    net = build(find("lenet5"), in_chans=1)
    assert sum(p.numel() for p in net.parameters()) == 61_706
    assert isinstance(net.stem[0][0].act, nn.Tanh)  # type: ignore[index]
    assert isinstance(net.head.linear[1], nn.Tanh)  # type: ignore[index]
    assert net(torch.randn(2, 1, 32, 32)).shape == (2, 10)


def test_two_towers_do_not_see_each_other_in_the_second_convolution() -> None:
    net = small("alexnet_2012")
    conv = net.stages[0][0]
    x = torch.randn(1, conv.in_channels, 5, 5, requires_grad=True)
    conv(x)[:, : conv.out_channels // 2].sum().backward()
    assert x.grad is not None
    assert not x.grad[:, conv.in_channels // 2 :].any()


@pytest.mark.parametrize("name", ["vgg16_bn", "alexnet_2012", "lenet5"])
def test_the_batch_is_free_in_an_export(name: str) -> None:
    net = small(name, 80)
    batch = torch.export.Dim("batch", min=1, max=64)
    program = torch.export.export(net, (torch.randn(2, 3, 80, 80),), dynamic_shapes=({0: batch},))
    x = torch.randn(3, 3, 80, 80)
    with torch.no_grad():
        torch.testing.assert_close(program.module()(x), net(x), rtol=1e-4, atol=1e-5)
