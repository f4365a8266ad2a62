"""A network made to time blocks in: each layer stands on a branch of its own, as it would stand in a real network.

A runtime chooses kernels and orders of memory by what is around a layer. So each layer gets its input from a small
convolution and gives its output to a mean; and a layer that keeps its shape stands behind one of its own kind, as in a
stage. All branches are in one file, so that weights come from memory as they do in a whole network.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from ...arch.spec import Layer
from ...nn import build  # noqa: F401  # pyright: ignore[reportUnusedImport]  (registers the operators' modules)
from ...nn.fold import fold
from ...nn.module import module

CHANNELS = 8  # of the pictures that a probe takes
PLACE = re.compile(r"branches\.(\d+)([./]layer\b)?")


class Branch(nn.Module):
    """pictures [B, 8, H, W] -> [B, layer.cout]: `enter` makes the layer's input, `before` is a layer of the same kind."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.shape = layer.input_shape
        if len(self.shape) == 3:
            first = self.shape[0] <= 4  # of the network: it sees the picture itself
            self.enter = nn.Identity() if first else nn.Sequential(nn.Conv2d(CHANNELS, self.shape[0], 1), nn.ReLU())
        else:
            self.enter = nn.Linear(CHANNELS, self.shape[-1])
        repeats = layer.input_shape == layer.output_shape and len(layer.size) > 0
        self.before = module(layer.op, layer) if repeats else nn.Identity()
        self.layer = module(layer.op, layer)

    def forward(self, pictures: Tensor) -> Tensor:
        if len(self.shape) == 3:
            c, h, w = self.shape
            x = pictures[:, : c if c <= 4 else CHANNELS, :h, :w]
        elif len(self.shape) == 2:
            x = pictures.flatten(2)[:, :, : self.shape[0]].transpose(1, 2)
        else:
            x = pictures[:, :, 0, 0]
        y = self.layer(self.before(self.enter(x)))
        return y.mean((2, 3)) if y.ndim == 4 else y.mean(1) if y.ndim == 3 else y


class Probe(nn.Module):
    """Pictures [B, 8, H, W] to the outputs of all branches side by side."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(Branch(layer) for layer in layers)

    def forward(self, pictures: Tensor) -> Tensor:
        return torch.cat([branch(pictures) for branch in self.branches], 1)


def side_of(layers: Iterable[Layer]) -> int:
    """Side in pixels of the pictures that a probe of `layers` takes: the largest map fits in, and the most tokens."""
    sides = [max(layer.size) if len(layer.size) == 2 else int(max((*layer.size, 1)) ** 0.5) + 1 for layer in layers]
    return max(sides, default=1)


def probe_model(layers: Sequence[Layer]) -> bytes:
    """The ONNX file of a probe of `layers`, exported as networks are, with weights drawn at random.

    Every node and what it gives out are called after its branch, so that what runtimes make of them still says whose it is.
    """
    from ..runtime.onnx import exported

    probe = fold(Probe(layers))
    side = side_of(layers)
    model = exported(probe, torch.zeros(2, CHANNELS, side, side))
    renamed: dict[str, str] = {}
    kept = {output.name for output in model.graph.output}
    for node in model.graph.node:
        for i, name in enumerate(node.output):
            if name and name not in kept:
                renamed[name] = node.output[i] = f"{node.name}:{i}"
        for i, name in enumerate(node.input):
            node.input[i] = renamed.get(name, name)
    return model.SerializeToString()


def by_branch(times: Sequence[tuple[str, float]], branches: int) -> list[tuple[float, int]]:
    """(milliseconds, nodes) of each branch's layer, from (name, milliseconds) of every node in the order of execution.

    A runtime puts in nodes of its own, such as a change of the order of memory: these belong to what follows, or to
    what stands on both sides of them.
    """
    marks = [place_of(name) for name, _ in times]
    following: tuple[int, bool] | None = None
    for i in range(len(marks) - 1, -1, -1):
        following = marks[i] = marks[i] or following
    found = [[0.0, 0] for _ in range(branches)]
    for (_, ms), mark in zip(times, marks, strict=True):
        if mark and mark[1]:
            found[mark[0]][0] += ms
            found[mark[0]][1] += 1
    return [(ms, int(nodes)) for ms, nodes in found]


def place_of(name: str) -> tuple[int, bool] | None:
    """The branch that a node belongs to, and whether to its layer; none for a name that does not say it.

    >>> place_of("branches.3.layer.depthwise/Conv:0_nchwc"), place_of("branches.3.before/Conv"), place_of("ReorderInput")
    ((3, True), (3, False), None)
    """
    found = PLACE.findall(name)
    return (int(found[-1][0]), bool(found[-1][1])) if found else None
