"""NASNet-A, mobile and large (Zoph 2018): cells with two inputs, the outputs of the last two cells.

A table passes one tensor from row to row, so all the cells are one operator, whose module is a network of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from ..errors import SettingError
from .scale import Scaling
from .spec import Arch, Classifier, Conv, Dropout, Layer, Operator, Pool, Size, Stage, Style

Kind = Literal["normal", "reduce"]
Pair = tuple[tuple[str, int], tuple[str, int]]

# fmt: off
# Five pairs of (operation, input): input 0 is the last cell's output, 1 the one before, 2 the first pair's sum, and so on.
# "sep 5": separable 5 x 5 twice. Zoph 2018, Figure 4, in the order of tensorflow/models research/slim nasnet_utils.py.
NORMAL: tuple[Pair, ...] = (
    (("sep 5", 0),    ("sep 3", 1)),
    (("sep 5", 1),    ("sep 3", 1)),
    (("average", 0),  ("identity", 1)),
    (("average", 1),  ("average", 1)),
    (("sep 3", 0),    ("identity", 0)))
REDUCE: tuple[Pair, ...] = (
    (("sep 5", 0),    ("sep 7", 1)),
    (("max", 0),      ("sep 7", 1)),
    (("average", 0),  ("sep 5", 1)),
    (("identity", 3), ("average", 2)),
    (("sep 3", 2),    ("max", 0)))
# The pairs, and the states that are concatenated (used_hiddenstates in nasnet_utils.py has the others).
CELLS: dict[Kind, tuple[tuple[Pair, ...], tuple[int, ...]]] = {
    "normal": (NORMAL, (1, 2, 3, 4, 5, 6)),
    "reduce": (REDUCE, (3, 4, 5, 6))}
# fmt: on


class CellPlan(NamedTuple):
    """One cell of the sequence: `reduction` is that of the whole operator up to and with this cell."""

    name: str
    kind: Kind
    filters: int
    reduction: int
    skips: bool = False  # the next cell has the same second input as this one, rather than the cell above it

    @property
    def cout(self) -> int:
        return self.filters * len(CELLS[self.kind][1])


@dataclass(frozen=True)
class Cells(Operator):
    """Two reduction cells as a stem, then three times `n` normal cells with reduction cells between: 16 x smaller.

    The row's channels are those of the last cell, as in the name "NASNet-A (4 @ 1056)": six times its filters.
    `skips`: the cell below a reduction cell takes as its second input the one that the reduction cell took, rather than
    the cell above it (the released code's skip_reduction_layer_input). `counts_padding`: a mean over a window that
    reaches over the edge divides by all nine places (timm) rather than by the pixels there are (the released code).
    A row of it is one layer, so a depth multiplier does nothing, and its strides stay whatever the output stride.
    """

    n: int
    skips: bool = False
    counts_padding: bool = False

    def __post_init__(self) -> None:
        if self.n < 1:
            raise SettingError(f"Cells(n={self.n}) has no cells: give 1 or more.")

    def out_size(self, size: Size, stride: int, dilation: int) -> Size:
        return tuple(-(-n // 16) for n in size)

    def plan(self, channels: int) -> Iterator[CellPlan]:
        filters = channels // 24
        yield CellPlan("stem_0", "reduce", filters // 4, 2)
        yield CellPlan("stem_1", "reduce", filters // 2, 4)
        for third in range(3):
            times = 2**third
            if third:
                yield CellPlan(f"reduce_{third - 1}", "reduce", filters * times, 4 * times, self.skips)
            for i in range(self.n):
                yield CellPlan(f"normal_{third}_{i}", "normal", filters * times, 4 * times)

    def part(self, role: str, layer: Layer) -> tuple[int, Size]:
        for cell in self.plan(layer.cout):
            if cell.name == role:
                return cell.cout, tuple(-(-n // cell.reduction) for n in layer.size)
        return super().part(role, layer)


def _taps(n: int) -> tuple[str, ...]:
    cells = ("stem_0", *(f"normal_{third}_{n - 1}" for third in range(3)))
    return ("stem.0", *(f"stages.0.0.{cell}" for cell in cells))


# fmt: off
nasnetamobile = Arch("nasnetamobile", image=224,                                              # Zoph 2018, Figure 2
    style=Style(act="relu", eps=1e-3, pad="same"), scaling=Scaling(divisor=96, stem=False, ends=False),
    source="arXiv 1707.07012, NASNet-A (4 @ 1056); tensorflow/models research/slim nasnet.py, mobile_imagenet_config",
    stem=(Stage(Conv(k=3, pad=0, act="identity"), 32, 1, 2),),
    stages=(Stage(Cells(n=4), 1056, 1, 16),),
    head=(Pool(), Dropout(), Classifier()), taps=_taps(4))

nasnetalarge = replace(nasnetamobile, name="nasnetalarge", image=331,                         # Zoph 2018, Figure 2
    source="arXiv 1707.07012, NASNet-A (6 @ 4032); tensorflow/models research/slim nasnet.py, large_imagenet_config;"
           " its means as in timm nasnet.py",
    stem=(Stage(Conv(k=3, pad=0, act="identity"), 96, 1, 2),),
    stages=(Stage(Cells(n=6, skips=True, counts_padding=True), 4032, 1, 16),),
    taps=_taps(6))
# fmt: on

ARCHS = (nasnetamobile, nasnetalarge)

ALIASES: dict[str, str] = {
    **{f"nasnet{said}": "nasnetamobile" for said in ("_a_mobile", "_mobile", "mobile")},
    **{f"nasnet{said}": "nasnetalarge" for said in ("_a_large", "_large", "large")},
}
