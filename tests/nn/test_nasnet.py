from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from linnet.arch.names import find
from linnet.arch.nasnet import CellPlan, Cells
from linnet.arch.spec import Layer, Style
from linnet.nn.build import build
from linnet.nn.module import module
from linnet.nn.nasnet import Cell, CellStack, Depthwise, Halve, Separable
from linnet.nn.net import Net

SAME, SYMMETRIC = Style(eps=1e-3, pad="same"), Style()


def small(n: int = 4) -> Net:
    arch = find("nasnetamobile").scaled(width=0.1).with_classes(5)
    return build(replace(arch, stages=(replace(arch.stages[0], op=Cells(n)),))).eval()


def reduce_cell(style: Style = SAME, *, counts_padding: bool = False) -> Cell:
    op = Cells(1, counts_padding=counts_padding)
    layer = Layer(op, 4, 96, 16, (8, 8), 1, style)
    return Cell(CellPlan("reduce_0", "reduce", 4, 2), 4, 4, layer, op, halve=False).eval()


def windows(x: Tensor) -> tuple[Tensor, Tensor]:
    """The 3 x 3 windows of stride 2 as TensorFlow pads them, [B, C, 9, h, w], and which of their places are pixels."""
    h, w = x.shape[2:]
    total = [(-(-n // 2) - 1) * 2 + 3 - n for n in (h, w)]
    pads = (total[1] // 2, total[1] - total[1] // 2, total[0] // 2, total[0] - total[0] // 2)

    def cut(y: Tensor) -> Tensor:
        return F.pad(y, pads).unfold(2, 3, 2).unfold(3, 3, 2).flatten(4).movedim(4, 2)

    return cut(x), cut(torch.ones_like(x)) > 0


@pytest.mark.parametrize("size", [(7, 7), (8, 8), (7, 8), (1, 2)], ids=str)
def test_pools_of_a_stride_are_tensorflows(size: tuple[int, int]) -> None:
    x = torch.randn(2, 4, *size) - 3  # below zero, where a padding of zeros would show
    places, inside = windows(x)
    cell, timms = reduce_cell(), reduce_cell(counts_padding=True)
    largest = places.masked_fill(~inside, -torch.inf).amax(2)
    torch.testing.assert_close(cell._without_weights("max", x, 2), largest)
    torch.testing.assert_close(cell._without_weights("average", x, 2), places.sum(2) / inside.sum(2))
    torch.testing.assert_close(timms._without_weights("average", x, 2), places.sum(2) / 9)


@pytest.mark.parametrize("size", [(7, 7), (8, 8)], ids=str)
def test_symmetric_padding_keeps_its_promise_too(size: tuple[int, int]) -> None:
    x = torch.randn(2, 4, *size)
    assert reduce_cell(SYMMETRIC)(x, x).shape == (2, 16, 4, 4)
    assert Depthwise(4, 5, 2, SYMMETRIC)(x).shape == (2, 4, 4, 4)


def test_a_depthwise_convolution_of_a_stride_is_padded_as_tensorflow_does() -> None:
    for k, n in ((5, 8), (5, 7), (7, 8), (7, 9)):
        conv, x = Depthwise(4, k, 2, SAME), torch.randn(1, 4, n, n)
        total = (-(-n // 2) - 1) * 2 + k - n
        before = total // 2
        padded = F.pad(x, (before, total - before, before, total - before))
        torch.testing.assert_close(conv(x), F.conv2d(padded, conv.weight, stride=2, groups=4))


@torch.no_grad()
def test_halving_reads_two_grids_one_pixel_apart() -> None:
    halve, x = Halve(4, 6, SAME).eval(), torch.randn(1, 4, 5, 6)
    y = halve(x) * (1 + 1e-3) ** 0.5
    assert y.shape == (1, 6, 3, 3)
    torch.testing.assert_close(y[:, :3], F.conv2d(x[:, :, ::2, ::2], halve.even.weight))
    torch.testing.assert_close(y[:, 3:, :2], F.conv2d(x[:, :, 1::2, 1::2], halve.odd.weight))
    assert not y[:, 3:, 2].any()  # below the last row there is nothing


@torch.no_grad()
def test_what_has_no_weights_is_computed_once_for_all_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    cell, asked = reduce_cell(), list[str]()
    own = cell._without_weights
    monkeypatch.setattr(cell, "_without_weights", lambda what, *rest: (asked.append(what), own(what, *rest))[1])
    x = torch.randn(1, 4, 8, 8)
    y = cell(x, x)
    assert sorted(asked) == ["average", "average", "identity", "max", "relu", "relu", "relu"]
    assert (y >= 0).all()  # activated, once for all that take it
    # By hand, as Zoph's figure draws the second of the concatenated sums.
    h0, h1 = cell.last(x), cell.before(x)
    second = cell._without_weights("average", h0, 2) + cell.right[2](h1.relu())
    torch.testing.assert_close(y[:, 4:8], second.relu())


def seen(net: Net, x: Tensor) -> tuple[dict[str, tuple[Tensor, ...]], dict[str, Tensor]]:
    cells = net.stages[0][0]  # type: ignore[index]
    assert isinstance(cells, CellStack)
    given: dict[str, tuple[Tensor, ...]] = {}
    outputs: dict[str, Tensor] = {}
    for name, cell in cells.items():

        def see(_cell: nn.Module, inputs: tuple[Tensor, ...], y: Tensor, name: str = name) -> None:
            given[name], outputs[name] = inputs, y

        cell.register_forward_hook(see)
    with torch.no_grad():
        net(x)
    return given, outputs


@pytest.mark.parametrize(("name", "second"), [("nasnetamobile", "normal_0_3"), ("nasnetalarge", "normal_0_4")])
def test_a_cell_sees_the_two_before_it(name: str, second: str) -> None:
    arch = find(name)
    net = build(arch.scaled(width=96 / arch.stages[0].channels)).eval()
    given, outputs = seen(net, torch.randn(1, 3, 64, 64))
    assert given["stem_0"][0] is given["stem_0"][1]
    assert given["normal_0_0"] == (outputs["stem_1"], outputs["stem_0"])
    assert given["normal_1_0"][0] is outputs["reduce_0"]
    assert given["normal_1_0"][1] is outputs[second]
    assert given["normal_1_1"][1] is outputs["reduce_0"]


def test_memory_formats_agree() -> None:
    net, x = small(), torch.randn(2, 3, 64, 75)
    with torch.no_grad():
        last = net.to(memory_format=torch.channels_last)(x.to(memory_format=torch.channels_last))
        torch.testing.assert_close(net(x), last, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["normal", "reduce"])
def test_cells_can_be_exported_with_a_free_batch(kind: Literal["normal", "reduce"]) -> None:
    op = Cells(1)
    plan = CellPlan("reduce_0" if kind == "reduce" else "normal_1_0", kind, 4, 2)
    cell = Cell(plan, 4, 4, Layer(op, 4, 96, 16, (8, 8), 1, SAME), op, halve=kind == "normal").eval()
    last, before = torch.randn(2, 4, 9, 8), torch.randn(2, 4, 17, 16)
    given = (last, before) if kind == "normal" else (last, last + 1)
    batch = torch.export.Dim("batch", max=64)
    program = torch.export.export(cell, given, dynamic_shapes=({0: batch}, {0: batch})).module()
    twice = [torch.cat([x, x]) for x in given]
    with torch.no_grad():
        torch.testing.assert_close(program(*twice), cell(*twice), rtol=1e-4, atol=1e-5)


def test_it_can_be_trained_in_bfloat16() -> None:
    net, x = small(1), torch.randn(2, 3, 64, 64)
    with torch.autocast("cpu", torch.bfloat16):
        net.train()(x).float().square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


def test_a_layer_with_an_output_stride_keeps_its_own() -> None:
    layer = Layer(Cells(1), 4, 96, 1, (33, 20), 16, SAME)
    assert layer.output_shape == (96, 3, 2)
    assert module(layer.op, layer).eval()(torch.randn(1, 4, 33, 20)).shape == (1, 96, 3, 2)


def test_a_separable_convolution_is_applied_twice() -> None:
    made = Separable(4, 6, 5, 2, SAME)
    assert made.depthwise1.weight.shape == (4, 1, 5, 5)
    assert (made.depthwise2.weight.shape, made.depthwise2.stride) == ((6, 1, 5, 5), (1, 1))
    assert made(torch.randn(2, 4, 9, 9)).shape == (2, 6, 5, 5)
