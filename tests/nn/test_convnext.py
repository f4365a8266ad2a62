from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import timm
import torch
from interchange import agree, randomise
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torchvision.models.resnet import Bottleneck, ResNet

from linnet.arch.convnext import ROAD, ConvNeXt, RoadmapBlock, convnext_tiny
from linnet.arch.spec import Arch, Layer, Style
from linnet.nn.build import build
from linnet.nn.conv import LayerNorm
from linnet.nn.convnext import ConvNeXtLayer, Roadmap
from linnet.nn.module import module
from linnet.nn.net import Net, set_regularisation
from linnet.weights.keymap import to_linnet
from linnet.weights.model import load_exactly

CHANNELS = (16, 32, 64, 128)


def reduced(arch: Arch, channels: tuple[int, ...] = CHANNELS, stem: int = CHANNELS[0]) -> Arch:
    """One layer a stage, and narrow."""
    stages = tuple(replace(stage, channels=c, layers=1) for stage, c in zip(arch.stages, channels, strict=True))
    arch = replace(arch, stem=(replace(arch.stem[0], channels=stem), *arch.stem[1:]), stages=stages)
    return arch.with_classes(10)


def small() -> Net:
    return randomise(build(reduced(convnext_tiny)))  # type: ignore[return-value]


def timms(**options: Any) -> nn.Module:
    return timm.create_model("convnext_tiny", num_classes=10, depths=(1, 1, 1, 1), dims=CHANNELS, **options)


class Copies(TorchDispatchMode):
    """Names of the operations that copy a tensor into another order."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.overloadpacket.__name__ in ("clone", "contiguous", "copy_", "_to_copy", "_reshape_copy"):
            self.found.append(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


@torch.no_grad()
def test_channels_last_needs_no_copy() -> None:
    net = small().to(memory_format=torch.channels_last)
    x = torch.randn(2, 3, 64, 64).contiguous(memory_format=torch.channels_last)
    seen: list[bool] = []

    def see(_norm: nn.Module, given: tuple[Tensor, ...]) -> None:
        seen.append(given[0].ndim == 2 or given[0].permute(0, 2, 3, 1).is_contiguous())

    for m in net.modules():
        if isinstance(m, LayerNorm):
            m.register_forward_pre_hook(see)
    with Copies() as copies:
        y = net.forward_features(x)
    assert copies.found == []
    assert seen
    assert all(seen)
    assert y.is_contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def test_the_order_in_memory_changes_nothing() -> None:
    net, x = small(), torch.randn(2, 3, 70, 50)
    expected = net(x)
    assert agree(net(x.contiguous(memory_format=torch.channels_last)), expected)
    assert agree(net.to(memory_format=torch.channels_last)(x.contiguous(memory_format=torch.channels_last)), expected)


def test_a_new_layer_is_almost_the_identity() -> None:
    layer = Layer(ConvNeXt(), 8, 8, 1, (8, 8), 1, convnext_tiny.style)
    block = module(layer.op, layer)
    assert isinstance(block, ConvNeXtLayer)
    assert torch.equal(block.scale, torch.full((8,), 1e-6))
    x = torch.randn(2, 8, 8, 8)
    assert 0 < (block(x) - x).abs().max() < 1e-4


@torch.no_grad()
@pytest.mark.parametrize("output_stride", [16, 8])
def test_strides_turned_into_dilation_give_timms_maps(output_stride: int) -> None:
    theirs = randomise(timms(output_stride=output_stride))
    ours = build(reduced(convnext_tiny), output_stride=output_stride).eval()
    load_exactly(ours, to_linnet(theirs.state_dict(), reduced(convnext_tiny), "timm"), what="convnext_tiny")
    x = torch.randn(2, 3, 96, 128)
    y = ours.forward_features(x)
    assert y.shape == (2, CHANNELS[-1], 96 // output_stride, 128 // output_stride)
    assert agree(y, theirs.forward_features(x))  # type: ignore[operator]


def test_drop_path_drops_whole_samples_branches() -> None:
    net = small().train()
    set_regularisation(net, drop_path=0.9)
    block = net.get_submodule("stages.3.0")
    assert isinstance(block, ConvNeXtLayer)
    assert block.drop_path.rate == pytest.approx(0.9 * 3 / 4)
    block.downsample = nn.Identity()
    x = torch.randn(64, 128, 2, 2)
    with torch.no_grad():
        untouched = [torch.equal(a, b) for a, b in zip(block(x), x, strict=True)]
    assert 0 < sum(untouched) < 64


def test_bf16_follows_fp32_and_every_parameter_learns() -> None:
    net, x = small().train(), torch.randn(2, 3, 64, 64).contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        y = net(x)
    assert agree(y.detach().float(), net(x).detach(), tolerance=0.05)
    y.float().square().sum().backward()
    assert [name for name, p in net.named_parameters() if p.grad is None or not p.grad.isfinite().all()] == []


@torch.no_grad()
def test_it_exports_with_any_batch() -> None:
    arch = reduced(convnext_tiny)
    net, batch = randomise(build(replace(arch, stages=arch.stages[:2]))), torch.export.Dim("batch")
    program = torch.export.export(net, (torch.randn(2, 3, 64, 64),), dynamic_shapes=({0: batch},))
    x = torch.randn(3, 3, 64, 64)
    assert agree(program.module()(x), net(x))


# -- the road ------------------------------------------------------------------------------------------------------
@torch.no_grad()
def test_the_roads_first_network_is_torchvisions_resnet() -> None:
    theirs = randomise(ResNet(Bottleneck, [1, 1, 1, 1], num_classes=10))
    ours = build(reduced(ROAD[0], (256, 512, 1024, 2048), 64)).eval()
    roles = {"spatial": "2", "expand": "1", "project": "3"}

    def renamed(name: str) -> str:
        name = name.replace("stem.0.0.norm", "bn1").replace("stem.0.0", "conv1").replace("head.classifier", "fc")
        for i in range(4):
            name = name.replace(f"stages.{i}.0", f"layer{i + 1}.0")
        for role, n in roles.items():
            name = name.replace(f"{role}.norm", f"bn{n}").replace(role, f"conv{n}")
        return name.replace("shortcut.norm", "downsample.1").replace("shortcut", "downsample.0")

    state = theirs.state_dict()
    ours.load_state_dict({name: state[renamed(name)] for name in ours.state_dict()})
    x = torch.randn(2, 3, 64, 64)
    assert agree(ours(x), theirs(x))


def block(arch: Arch) -> Roadmap:
    op = arch.stages[1].op
    assert isinstance(op, RoadmapBlock)
    found = module(op, Layer(op, 8, 16, 2, (8, 8), 1, arch.style))
    assert isinstance(found, Roadmap)
    return found.eval()


def several(kind: type[nn.Module] | tuple[type[nn.Module], ...]) -> Callable[[nn.Module], int]:
    return lambda net: sum(isinstance(m, kind) for m in net.modules())


def test_blocks_lose_activations_and_norms_as_figure_4_shows() -> None:
    steps = {arch.name.removeprefix("roadmap_"): block(arch) for arch in ROAD[:-1]}
    acts, norms = several((nn.ReLU, nn.GELU)), several((nn.BatchNorm2d, nn.LayerNorm))
    # Behind each convolution and the sum, at first; the shortcut's norm is the fourth.
    assert (acts(steps["resnet50"]), norms(steps["resnet50"])) == (3, 4)
    assert (acts(steps["gelu"]), norms(steps["gelu"])) == (3, 4)
    assert (acts(steps["fewer_acts"]), norms(steps["fewer_acts"])) == (1, 4)
    assert (acts(steps["fewer_norms"]), norms(steps["fewer_norms"])) == (1, 2)
    assert several(nn.LayerNorm)(steps["layer_norm"]) == 2
    assert isinstance(steps["layer_norm"].expand.act, nn.GELU)


@torch.no_grad()
@pytest.mark.parametrize("arch", ROAD, ids=lambda arch: arch.name)
def test_every_step_runs(arch: Arch) -> None:
    stem = 16
    net = build(reduced(arch, tuple(32 * 2**i for i in range(4)), stem)).eval()
    assert net(torch.randn(2, 3, 64, 64)).isfinite().all()
    assert [tuple(y.shape[2:]) for y in net.features(torch.randn(1, 3, 64, 64))][-4:] == [
        (16, 16),
        (8, 8),
        (4, 4),
        (2, 2),
    ]


def test_moved_up_the_k_x_k_has_the_channels_that_come_in() -> None:
    op = RoadmapBlock(t=4, depthwise=True)
    layer = Layer(op, 8, 16, 2, (8, 8), 1, Style(act="relu"))
    before, after = Roadmap(op, layer), Roadmap(replace(op, moved=True), layer)
    assert (before.spatial.out_channels, before.spatial.groups) == (64, 64)
    assert (after.spatial.out_channels, after.spatial.groups, after.expand.out_channels) == (8, 8, 64)
