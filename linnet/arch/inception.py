"""Inception V1, called GoogLeNet (Szegedy 2015), and V3 (Szegedy 2016): modules of branches side by side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, cast

from ..errors import SettingError
from .spec import Arch, Classifier, Conv, Dropout, MaxPool, Operator, Pool, Scaling, Size, Stage, Style
from .vgg import ResponseNorm

Filter = tuple[int, int, int]  # kernel height, kernel width, channels
Step = Filter | Literal["average", "maximum"] | tuple[Filter, ...]  # filters of a step stand side by side
Branch = tuple[Step, ...]


def filters(step: Step) -> tuple[Filter, ...]:
    """The convolutions of a step that see the same input, mostly one; none of a pool.

    >>> filters((3, 3, 96)), filters(((1, 3, 384), (3, 1, 384))), filters("average")
    (((3, 3, 96),), ((1, 3, 384), (3, 1, 384)), ())
    """
    if isinstance(step, str):
        return ()
    return cast("tuple[Filter, ...]", step if isinstance(step[0], tuple) else (step,))


def step_channels(step: Step, cin: int) -> int:
    """Channels after a step: those of its filters together; a pool keeps `cin`."""
    return sum(c for _, _, c in filters(step)) or cin


@dataclass(frozen=True)
class Inception(Operator):
    """GoogLeNet's module: the columns of Table 1, and the kernel of the one called "5 x 5" (Szegedy 2015, Figure 2b)."""

    c1: int
    reduce3: int
    c3: int
    reduce5: int
    c5: int
    pool: int
    k5: int = 5

    def __post_init__(self) -> None:
        _check("Inception", self.branches)

    @property
    def branches(self) -> tuple[Branch, ...]:
        return (
            ((1, 1, self.c1),),
            ((1, 1, self.reduce3), (3, 3, self.c3)),
            ((1, 1, self.reduce5), (self.k5, self.k5, self.c5)),
            ("maximum", (1, 1, self.pool)),
        )

    def out_channels(self, cin: int, channels: int, size: Size) -> int:
        return self.c1 + self.c3 + self.c5 + self.pool

    def widened(self, cin: int, wide: int, scaling: Scaling) -> Inception:
        c1, reduce3, c3, reduce5, c5, pool = (
            scaling.channels(c, wide / cin) for c in (self.c1, self.reduce3, self.c3, self.reduce5, self.c5, self.pool)
        )
        return Inception(c1, reduce3, c3, reduce5, c5, pool, self.k5)

    def __str__(self) -> str:
        """As Table 1 has it: 1 x 1, 3 x 3, "5 x 5" and pool, with what stands before a kernel.

        >>> str(Inception(64, 96, 128, 16, 32, 32))
        'Inception(64, 96-128, 16-32, 32)'
        """
        k = "" if self.k5 == 5 else f", k5={self.k5}"
        return f"Inception({self.c1}, {self.reduce3}-{self.c3}, {self.reduce5}-{self.c5}, {self.pool}{k})"


@dataclass(frozen=True)
class InceptionV3(Operator):
    """The module of that figure, branch by branch. With a stride each branch ends in a 3 x 3 without padding."""

    figure: int
    branches: tuple[Branch, ...]

    def __post_init__(self) -> None:
        _check("InceptionV3", self.branches)

    @property
    def repeats(self) -> bool:
        return self.figure != 10  # which is between two sizes

    def out_size(self, size: Size, stride: int, dilation: int) -> Size:
        return size if stride == 1 else tuple((n - 2 * dilation - 1) // stride + 1 for n in size)

    def out_channels(self, cin: int, channels: int, size: Size) -> int:
        found = 0
        for branch in self.branches:
            c = cin
            for step in branch:
                c = step_channels(step, c)
            found += c
        return found

    def widened(self, cin: int, wide: int, scaling: Scaling) -> InceptionV3:
        def wider(step: Step) -> Step:
            if isinstance(step, str):
                return step
            found = tuple((h, w, scaling.channels(c, wide / cin)) for h, w, c in filters(step))
            return found[0] if len(found) == 1 else found

        return replace(self, branches=tuple(tuple(wider(step) for step in branch) for branch in self.branches))

    def __str__(self) -> str:
        """By the figure alone: the branches fill half a page."""
        return f"InceptionV3(figure={self.figure})"


def _check(name: str, branches: tuple[Branch, ...]) -> None:
    def all_filters() -> Iterator[Filter]:
        yield from (f for branch in branches for step in branch for f in filters(step))

    if not branches or not all(branches):
        raise SettingError(f"{name} has a branch without a step: give each a filter or a pool.")
    for h, w, c in all_filters():
        if h < 1 or w < 1 or c < 1 or h % 2 == 0 or w % 2 == 0:
            raise SettingError(
                f"{name} has a filter of {h} x {w} with {c} channels: kernels are odd, channels at least 1."
            )


_pool = Stage(MaxPool(k=3, pad=0, ceil=True), 0, 1, 2)


# fmt: off
def _table_1(k5: int, last: Stage) -> tuple[Stage, ...]:                                      # Szegedy 2015, Table 1
    def module(*columns: int) -> Stage:
        return Stage(Inception(*columns, k5=k5))

    return (  #  1x1  reduce  3x3  reduce  5x5  pool
        module(   64,   96,   128,   16,    32,   32),   # 3a
        module(  128,  128,   192,   32,    96,   64),   # 3b
        _pool,
        module(  192,   96,   208,   16,    48,   64),   # 4a
        module(  160,  112,   224,   24,    64,   64),   # 4b
        module(  128,  128,   256,   24,    64,   64),   # 4c
        module(  112,  144,   288,   32,    64,   64),   # 4d
        module(  256,  160,   320,   32,   128,  128),   # 4e
        last,
        module(  256,  160,   320,   32,   128,  128),   # 5a
        module(  384,  192,   384,   48,   128,  128))   # 5b


googlenet_original = Arch("googlenet_original", image=224,                                    # Szegedy 2015, Table 1
    style=Style(act="relu", norm="none"), init="he", source="arXiv 1409.4842, Table 1 and Figure 3",
    stem=(
        Stage(Conv(k=7),                        64, 1, 2),
        _pool,
        Stage(ResponseNorm(k=1.0, alpha=2e-5),   0, 1, 1),   # constants of BVLC's GoogLeNet; the paper gives none
        Stage(Conv(k=1),                        64, 1, 1),
        Stage(Conv(k=3),                       192, 1, 1),
        Stage(ResponseNorm(k=1.0, alpha=2e-5),   0, 1, 1),
        _pool),
    stages=_table_1(k5=5, last=_pool),
    head=(Pool(), Dropout(), Classifier()))

# What is trained today: BatchNorm for biases and response norms, and, by a slip that the weights keep, a 3 x 3 for the 5 x 5.
googlenet = Arch("googlenet", image=224,                                                      # torchvision googlenet.py
    style=Style(act="relu", eps=1e-3), source="torchvision googlenet.py, after arXiv 1409.4842, Table 1",
    stem=(
        Stage(Conv(k=7),                        64, 1, 2),
        _pool,
        Stage(Conv(k=1),                        64, 1, 1),
        Stage(Conv(k=3),                       192, 1, 1),
        _pool),
    stages=_table_1(k5=3, last=Stage(MaxPool(k=2, pad=0, ceil=True), 0, 1, 2)),
    head=(Pool(), Dropout(), Classifier()))


def _figure_5(pool: int) -> InceptionV3:
    return InceptionV3(5, (((1, 1, 64),),
                           ((1, 1, 48), (5, 5, 64)),
                           ((1, 1, 64), (3, 3, 96), (3, 3, 96)),
                           ("average", (1, 1, pool))))

def _figure_6(c: int) -> InceptionV3:
    return InceptionV3(6, (((1, 1, 192),),
                           ((1, 1, c), (1, 7, c), (7, 1, 192)),
                           ((1, 1, c), (7, 1, c), (1, 7, c), (7, 1, c), (1, 7, 192)),
                           ("average", (1, 1, 192))))

_fork = ((1, 3, 384), (3, 1, 384))
_figure_7 = InceptionV3(7, (((1, 1, 320),),
                            ((1, 1, 384), _fork),
                            ((1, 1, 448), (3, 3, 384), _fork),
                            ("average", (1, 1, 192))))
_figure_10 = InceptionV3(10, (((3, 3, 384),),
                              ((1, 1, 64), (3, 3, 96), (3, 3, 96)),
                              ("maximum",)))
_figure_10_with_7 = InceptionV3(10, (((1, 1, 192), (3, 3, 320)),                             # of the released code
                                     ((1, 1, 192), (1, 7, 192), (7, 1, 192), (3, 3, 192)),
                                     ("maximum",)))

inception_v3 = Arch("inception_v3", image=299,                                                # Szegedy 2016, Table 1
    style=Style(act="relu", eps=1e-3),
    source="arXiv 1512.00567, Table 1; widths from TF-slim inception_v3.py",
    stem=(
        Stage(Conv(k=3, pad=0),     32, 1, 2),
        Stage(Conv(k=3, pad=0),     32, 1, 1),
        Stage(Conv(k=3),            64, 1, 1),
        Stage(MaxPool(k=3, pad=0),   0, 1, 2),
        Stage(Conv(k=1),            80, 1, 1),
        Stage(Conv(k=3, pad=0),    192, 1, 1),
        Stage(MaxPool(k=3, pad=0),   0, 1, 2)),
    stages=(  # operator      channels layers stride
        Stage(_figure_5(32),         0, 1, 1),
        Stage(_figure_5(64),         0, 2, 1),
        Stage(_figure_10,            0, 1, 2),
        Stage(_figure_6(128),        0, 1, 1),
        Stage(_figure_6(160),        0, 2, 1),
        Stage(_figure_6(192),        0, 1, 1),
        Stage(_figure_10_with_7,     0, 1, 2),
        Stage(_figure_7,             0, 2, 1)),
    head=(Pool(), Dropout(), Classifier()))
# fmt: on

ARCHS: tuple[Arch, ...] = (inception_v3, googlenet, googlenet_original)

ALIASES = {
    "inceptionv3": "inception_v3",
    "inceptionv1": "googlenet",
    "inception_v1": "googlenet",
    "googlenet_v1": "googlenet",
    "googlenet_bn": "googlenet",
    # timm's former names of its sets of weights
    "tf_inception_v3": "inception_v3",
    "adv_inception_v3": "inception_v3",
    "gluon_inception_v3": "inception_v3",
}
