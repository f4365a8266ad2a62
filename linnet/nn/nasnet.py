"""Modules of NASNet-A (Zoph 2018)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..arch.nasnet import CELLS, CellPlan, Cells
from ..arch.spec import Layer, Style
from .conv import ConvNorm, norm, pad_same
from .depthwise import depthwise_conv, pays_off
from .module import module
from .undrawn import Conv2d


class Depthwise(Conv2d):
    """k x k convolution of each channel, without norm or bias: [B, C, H, W] -> [B, C, ceil(H / stride), ...]."""

    def __init__(self, c: int, k: int, stride: int, style: Style) -> None:
        self.same = style.pad == "same" and stride > 1
        super().__init__(c, c, k, stride, 0 if self.same else k // 2, groups=c, bias=False)
        self.around = 0 if self.same else k // 2

    def forward(self, input: Tensor) -> Tensor:
        if self.same:
            input = pad_same(input, self.kernel_size, self.stride[0], 1)
        if pays_off(input):
            return depthwise_conv(input, self.weight, self.stride[0], self.around)
        return super().forward(input)


class Separable(nn.Module):
    """Depthwise k x k, pointwise, norm; twice, the first with the stride. Its input is activated already."""

    def __init__(self, cin: int, cout: int, k: int, stride: int, style: Style) -> None:
        super().__init__()
        self.depthwise1 = Depthwise(cin, k, stride, style)
        self.pointwise1 = ConvNorm(cin, cout, 1, style, act="relu")
        self.depthwise2 = Depthwise(cout, k, 1, style)
        self.pointwise2 = ConvNorm(cout, cout, 1, style, act="identity")

    def forward(self, x: Tensor) -> Tensor:
        return self.pointwise2(self.depthwise2(self.pointwise1(self.depthwise1(x))))


class Halve(nn.Module):
    """Factorized reduction: two grids one pixel apart, half of the channels each; [B, C, H, W] -> [B, C', H / 2, ...]."""

    def __init__(self, cin: int, cout: int, style: Style) -> None:
        super().__init__()
        self.even = Conv2d(cin, cout // 2, 1, 2, bias=False)
        self.odd = Conv2d(cin, cout - cout // 2, 1, 2, bias=False)
        self.both = norm(cout, style)

    def forward(self, x: Tensor) -> Tensor:
        return self.both(torch.cat([self.even(x), self.odd(F.pad(x[:, :, 1:, 1:], (0, 1, 0, 1)))], 1))


class Cell(nn.Module):
    """(last, one before) -> the next: [B, C, H, W] twice, where the one before may be twice as large.

    Whatever takes a cell's output begins with a ReLU, so a cell gives it activated, once for all.
    """

    def __init__(self, plan: CellPlan, last: int, before: int, layer: Layer, op: Cells, *, halve: bool) -> None:
        super().__init__()
        f, style = plan.filters, layer.style
        self.pairs, self.concatenated = CELLS[plan.kind]
        self.stride = 2 if plan.kind == "reduce" else 1
        self.same, self.counts_padding = style.pad == "same", op.counts_padding
        self.last = ConvNorm(last, f, 1, style, act="identity")
        self.before: nn.Module
        self.first = plan.name == "stem_0"  # there is no cell before, so that its own input stands in, as it is
        if self.first:
            self.before = nn.Identity()
        else:
            self.before = Halve(before, f, style) if halve else ConvNorm(before, f, 1, style, act="identity")

        def operation(word: str, source: int) -> nn.Module:
            if not word.startswith("sep"):
                return nn.Identity()  # nothing that has weights
            cin = before if self.first and source == 1 else f
            return Separable(cin, f, int(word.split()[1]), self._stride(source), style)

        self.left = nn.ModuleList(operation(*left) for left, _ in self.pairs)
        self.right = nn.ModuleList(operation(*right) for _, right in self.pairs)

    def _stride(self, source: int) -> int:
        return self.stride if source < 2 else 1

    def forward(self, last: Tensor, before: Tensor) -> Tensor:
        states = [self.last(last), self.before(before)]
        made: dict[tuple[str, int], Tensor] = {("relu", 1): before} if self.first else {}

        def given(word: str, source: int) -> Tensor:
            """What stands above the weights, computed once for all pairs that ask for it."""
            what = "relu" if word.startswith("sep") else word
            if (what, source) not in made:
                made[what, source] = self._without_weights(what, states[source], self._stride(source))
            return made[what, source]

        for (left, right), a, b in zip(self.pairs, self.left, self.right, strict=True):
            states.append(a(given(*left)) + b(given(*right)))
        return torch.cat([states[i] for i in self.concatenated], 1).relu_()

    def _without_weights(self, what: str, x: Tensor, stride: int) -> Tensor:
        if what == "relu":
            return x.relu()
        if what == "identity":
            return x
        # TensorFlow's padding of a stride is one pixel all around where the side is odd; where it is even it is a pixel
        # at the end alone, which is what a window over the edge sees.
        same = self.same and stride > 1
        around = (x.shape[2] % 2, x.shape[3] % 2) if same else (1, 1)
        if what == "max":
            return F.max_pool2d(x, 3, stride, around, ceil_mode=same)
        if same and self.counts_padding:
            return F.avg_pool2d(pad_same(x, (3, 3), stride, 1), 3, stride)
        return F.avg_pool2d(x, 3, stride, around, ceil_mode=same, count_include_pad=False)


class CellStack(nn.ModuleDict):
    """[B, cin, H, W] -> [B, cout, ceil(H / 16), ...], activated; its submodules are the cells, by name."""

    def __init__(self, op: Cells, layer: Layer) -> None:
        super().__init__()
        self.plan = tuple(op.plan(layer.cout))
        last = before = (layer.cin, 1)  # channels, reduction
        for cell in self.plan:
            self[cell.name] = Cell(cell, last[0], before[0], layer, op, halve=before[1] < last[1])
            last, before = (cell.cout, cell.reduction), before if cell.skips else last

    def forward(self, x: Tensor) -> Tensor:
        last = before = x.relu()
        for cell in self.plan:
            last, before = self[cell.name](last, before), before if cell.skips else last
        return last


@module.register
def _(op: Cells, layer: Layer) -> nn.Module:
    return CellStack(op, layer)
