"""NASNet-A (Zoph 2018): cells with two inputs, the last two cells' outputs.

A table passes one tensor from row to row, so all the cells are one operator, whose module is a network of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from linnet.arch.spec import Arch, Classifier, Conv, Dropout, Layer, Operator, Pool, Scaling, Size, Stage, Style
from linnet.nn.conv import ConvNorm, norm
from linnet.nn.module import module


class CellPlan(NamedTuple):
    """One cell of the sequence: `reduction` is that of the whole operator up to and with this cell."""

    name: str
    kind: str
    filters: int
    reduction: int

    @property
    def cout(self) -> int:
        return self.filters * (4 if self.kind == "reduce" else 6)


@dataclass(frozen=True)
class Cells(Operator):
    """Two reduction cells as a stem, then three times `n` normal cells with reduction cells between: 16 x smaller.

    The row's channels are those of the last cell, as in the name "NASNet-A (4 @ 1056)": six times its filters.
    """

    n: int

    def plan(self, channels: int) -> Iterator[CellPlan]:
        filters = channels // 24
        yield CellPlan("stem_0", "reduce", filters // 4, 2)
        yield CellPlan("stem_1", "reduce", filters // 2, 4)
        for i in range(3 * self.n):
            times = 2 ** (i // self.n)
            if i and i % self.n == 0:
                yield CellPlan(f"reduce_{i // self.n - 1}", "reduce", filters * times, 4 * times)
            yield CellPlan(f"normal_{i}", "normal", filters * times, 4 * times)

    def part(self, role: str, layer: Layer) -> tuple[int, Size]:
        for cell in self.plan(layer.cout):
            if cell.name == role:
                return cell.cout, tuple(-(-n // cell.reduction) for n in layer.size)
        return super().part(role, layer)


# fmt: off
nasnet_a_mobile = Arch("nasnet_a_mobile", image=224,                                          # Zoph 2018, Figure 2
    style=Style(act="relu", eps=1e-3, momentum=3e-4), scaling=Scaling(divisor=96, stem=False),
    source="arXiv 1707.07012, NASNet-A (4 @ 1056); tensorflow/models research/slim nasnet.py, mobile_imagenet_config",
    stem=(Stage(Conv(k=3, pad=0, act="identity"), 32, 1, 2),),
    stages=(Stage(Cells(n=4), 1056, 1, 16),),
    head=(Pool(), Dropout(), Classifier()),
    taps=("stem.0", "stages.0.0.stem_0", "stages.0.0.normal_3", "stages.0.0.normal_7", "stages.0.0.normal_11"))

# Five pairs of (operation, input): input 0 is the last cell's output, 1 the one before, 2 the first pair's sum, and so on.
# "sep 5": separable 5 x 5 twice. Zoph 2018, Figure 4, in the order of nasnet_utils.py.
NORMAL = ((("sep 5", 0), ("sep 3", 1)), (("sep 5", 1), ("sep 3", 1)), (("average", 0), ("identity", 1)),
          (("average", 1), ("average", 1)), (("sep 3", 0), ("identity", 0)))
REDUCE = ((("sep 5", 0), ("sep 7", 1)), (("max", 0), ("sep 7", 1)), (("average", 0), ("sep 5", 1)),
          (("identity", 3), ("average", 2)), (("sep 3", 2), ("max", 0)))
CELLS = {"normal": (NORMAL, (1, 2, 3, 4, 5, 6)), "reduce": (REDUCE, (3, 4, 5, 6))}    # pairs, and what is concatenated
# fmt: on


class ReluConv(nn.Sequential):
    """ReLU, 1 x 1 convolution, norm."""

    def __init__(self, cin: int, cout: int, style: Style) -> None:
        super().__init__(nn.ReLU(), ConvNorm(cin, cout, 1, style, act="identity"))


class Separable(nn.Sequential):
    """ReLU, depthwise k x k, pointwise, norm; twice, the first with the stride."""

    def __init__(self, cin: int, cout: int, k: int, stride: int, style: Style) -> None:
        def depthwise(c: int, stride: int) -> nn.Module:
            return nn.Conv2d(c, c, k, stride, k // 2, groups=c, bias=False)

        super().__init__(
            nn.ReLU(), depthwise(cin, stride), ConvNorm(cin, cout, 1, style, act="identity"),
            nn.ReLU(), depthwise(cout, 1), ConvNorm(cout, cout, 1, style, act="identity"))  # fmt: skip


class Halve(nn.Module):
    """Factorized reduction: two grids one pixel apart, half of the channels each."""

    def __init__(self, cin: int, cout: int, style: Style) -> None:
        super().__init__()
        self.even = nn.Conv2d(cin, cout // 2, 1, 2, bias=False)
        self.odd = nn.Conv2d(cin, cout - cout // 2, 1, 2, bias=False)
        self.norm = norm(cout, style)

    def forward(self, x: Tensor) -> Tensor:
        x = x.relu()
        shifted = nn.functional.pad(x, (0, 1, 0, 1))[:, :, 1:, 1:]
        return self.norm(torch.cat([self.even(x), self.odd(shifted)], 1))


def operation(word: str, cin: int, cout: int, stride: int, style: Style) -> nn.Module:
    if word.startswith("sep"):
        return Separable(cin, cout, int(word.split()[1]), stride, style)
    match word:
        case "max":
            pool: nn.Module = nn.MaxPool2d(3, stride, 1)
        case "average":
            pool = nn.AvgPool2d(3, stride, 1, count_include_pad=False)
        case _:
            pool = nn.Identity()
    return pool if cin == cout else nn.Sequential(pool, ReluConv(cin, cout, style))


class Cell(nn.Module):
    """(last, one before) -> the next: [B, C, H, W] twice, where the one before may be twice as large."""

    def __init__(self, plan: CellPlan, cin: int, before: int, style: Style, *, halve: bool, first: bool) -> None:
        super().__init__()
        f, stride = plan.filters, 2 if plan.kind == "reduce" else 1
        pairs, self.concatenated = CELLS[plan.kind]
        self.last = ReluConv(cin, f, style)
        if first:  # there is no cell before, so that its own input stands in, as it is
            self.before, before = nn.Identity(), cin
        else:
            fits = nn.Identity() if before == f else ReluConv(before, f, style)
            self.before, before = (Halve(before, f, style) if halve else fits), f
        self.inputs = tuple(source for pair in pairs for _, source in pair)
        channels = {0: f, 1: before}
        self.operations = nn.ModuleList(
            operation(word, channels.get(source, f), f, stride if source < 2 else 1, style)
            for pair in pairs
            for word, source in pair
        )

    def forward(self, last: Tensor, before: Tensor) -> Tensor:
        states = [self.last(last), self.before(before)]
        for i in range(0, len(self.inputs), 2):
            a, b = (self.operations[j](states[self.inputs[j]]) for j in (i, i + 1))
            states.append(a + b)
        return torch.cat([states[i] for i in self.concatenated], 1)


class CellStack(nn.Module):
    """[B, cin, H, W] -> [B, cout, H / 16, W / 16]; its submodules are the cells, by name."""

    def __init__(self, op: Cells, layer: Layer) -> None:
        super().__init__()
        self.names = tuple(cell.name for cell in op.plan(layer.cout))
        last = before = (layer.cin, 1)  # channels, reduction
        for cell in op.plan(layer.cout):
            halve, first = before[1] < last[1], cell.name == self.names[0]
            self.add_module(cell.name, Cell(cell, last[0], before[0], layer.style, halve=halve, first=first))
            last, before = (cell.cout, cell.reduction), last

    def forward(self, x: Tensor) -> Tensor:
        last = before = x
        for name in self.names:
            last, before = self.get_submodule(name)(last, before), last
        return last.relu()


@module.register
def _(op: Cells, layer: Layer) -> nn.Module:
    return CellStack(op, layer)
