"""DenseNet (Huang 2017): every layer adds `growth` channels to its input; a transition halves channels and size."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..errors import SettingError
from .spec import Arch, Classifier, Conv, MaxPool, Norm, Operator, Pool, Scaling, Size, Stage, Style


@dataclass(frozen=True)
class Dense(Operator):
    """Norm, 1 x 1 to 4 x growth, norm, 3 x 3 to growth, appended to the input (DenseNet-B, section 3)."""

    growth: int = 32

    def __post_init__(self) -> None:
        if self.growth < 1:
            raise SettingError(f"Dense(growth={self.growth}) adds nothing: give the channels of a layer, such as 32.")

    def out_channels(self, cin: int, channels: int, size: Size) -> int:
        return cin + self.growth

    def widened(self, cin: int, wide: int, scaling: Scaling) -> Dense:
        return replace(self, growth=scaling.channels(self.growth, wide / cin))


@dataclass(frozen=True)
class Transition(Operator):
    """Norm, 1 x 1 to half the channels, average of 2 x 2 (DenseNet-C, compression 0.5)."""

    @property
    def repeats(self) -> bool:
        return False

    def out_size(self, size: Size, stride: int, dilation: int) -> Size:
        return tuple(n // stride for n in size)

    def out_channels(self, cin: int, channels: int, size: Size) -> int:
        return cin // 2


# fmt: off
densenet121 = Arch("densenet121", image=224,                                                   # Huang 2017, Table 1
    style=Style(act="relu"), source="arXiv 1608.06993, Table 1",
    stem=(
        Stage(Conv(k=7),          64,  1, 2),
        Stage(MaxPool(k=3),        0,  1, 2)),
    stages=(  # operator    channels layers stride
        Stage(Dense(growth=32),    0,  6, 1),
        Stage(Transition(),        0,  1, 2),
        Stage(Dense(growth=32),    0, 12, 1),
        Stage(Transition(),        0,  1, 2),
        Stage(Dense(growth=32),    0, 24, 1),
        Stage(Transition(),        0,  1, 2),
        Stage(Dense(growth=32),    0, 16, 1)),
    head=(Norm(norm="batch", act="relu"), Pool(), Classifier()),
    taps=("stem.0", "stages.0", "stages.2", "stages.4", "head.norm"))    # the last with the norm that it needs, as in timm
# fmt: on


def _deeper(name: str, layers: tuple[int, int, int, int], growth: int = 32) -> Arch:
    """The same table with other numbers of layers; the stem has twice the growth (section 4.2)."""
    first, pool = densenet121.stem
    blocks = iter(layers)
    stages = tuple(
        Stage(Dense(growth), 0, next(blocks)) if isinstance(row.op, Dense) else row for row in densenet121.stages
    )
    return replace(densenet121, name=name, stem=(replace(first, channels=2 * growth), pool), stages=stages)


ARCHS = (
    densenet121,
    replace(
        _deeper("densenet161", (6, 12, 36, 24), growth=48),
        source="liuzhuang13/DenseNet, DenseNet-161 (k=48); rows as in arXiv 1608.06993, Table 1",
    ),
    _deeper("densenet169", (6, 12, 32, 32)),
    _deeper("densenet201", (6, 12, 48, 32)),
)

ALIASES = {
    **{f"densenet_{n}": f"densenet{n}" for n in (121, 161, 169, 201)},
    "densenet": "densenet121",
    "tv_densenet121": "densenet121",  # timm's former name of torchvision's weights
}
