"""GhostNet (Han 2020)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from .scale import Scaling, round_channels
from .spec import Arch, Classifier, Conv, Dropout, Linear, Operator, Pool, Stage, Style


@dataclass(frozen=True)
class GBneck(Operator):
    """Ghost bottleneck: a ghost module to `exp` channels, [depthwise k x k], [gate], a ghost module to the row's.

    `down` says that it is the one for stride 2, with the depthwise convolution between (Figure 3, right): it keeps that
    one where an output stride takes the stride itself away. The gate has a quarter of `exp`, rounded to 4.
    """

    exp: int
    k: int = 3
    se: bool = False
    down: bool = False
    units: ClassVar[int] = 1

    def widened(self, cin: int, wide: int, scaling: Scaling) -> GBneck:
        return self if wide == cin else replace(self, exp=round_channels(wide * self.exp / cin, scaling.divisor))

    @property
    def squeezed(self) -> int:
        return round_channels(self.exp / 4, 4)


# fmt: off
ghostnet_100 = Arch("ghostnet_100", image=224,                                                   # Han 2020, Table 1
    style=Style(act="relu"), init="torch", scaling=Scaling(divisor=4),
    source="arXiv 1911.11907, Table 1; kernels: huawei-noah/Efficient-AI-Backbones ghostnet_pytorch",
    stem=(Stage(Conv(k=3),                             16, 1, 2),),
    stages=(  #       exp  k       SE         stride   out  n  s
        Stage(GBneck(  16, 3),                          16, 1, 1),
        Stage(GBneck(  48, 3,          down=True),      24, 1, 2),
        Stage(GBneck(  72, 3),                          24, 1, 1),
        Stage(GBneck(  72, 5, se=True, down=True),      40, 1, 2),
        Stage(GBneck( 120, 5, se=True),                 40, 1, 1),
        Stage(GBneck( 240, 3,          down=True),      80, 1, 2),
        Stage(GBneck( 200, 3),                          80, 1, 1),
        Stage(GBneck( 184, 3),                          80, 2, 1),
        Stage(GBneck( 480, 3, se=True),                112, 1, 1),
        Stage(GBneck( 672, 3, se=True),                112, 1, 1),
        Stage(GBneck( 672, 5, se=True, down=True),     160, 1, 2),
        Stage((GBneck(960, 5), GBneck(960, 5, se=True)), 160, 4, 1)),
    head=(Conv(960, k=1), Pool(), Linear(1280), Dropout(), Classifier()),
    # timm's features: the layers with the stride, not the last ones before the next.
    taps=("stem.0", "stages.1", "stages.3", "stages.5", "stages.10"))
# fmt: on


def _wide(name: str, width: float) -> Arch:
    """The released code multiplies each `exp` by the width, where `widened` keeps its ratio to the rounded input."""
    arch = ghostnet_100.scaled(name, width=width)
    rule = arch.scaling

    def exact(stage: Stage, original: Stage) -> Stage:
        ops = [replace(op, exp=rule.channels(op.exp, width)) for op in original.ops if isinstance(op, GBneck)]
        return replace(stage, op=ops[0] if len(ops) == 1 else tuple(ops))

    return replace(arch, stages=tuple(exact(*pair) for pair in zip(arch.stages, ghostnet_100.stages, strict=True)))


ARCHS = (ghostnet_100, _wide("ghostnet_050", 0.5), _wide("ghostnet_130", 1.3))

ALIASES: dict[str, str] = {
    "ghostnet": "ghostnet_100",
    "ghostnet_0_5x": "ghostnet_050",
    "ghostnet_1_0x": "ghostnet_100",
    "ghostnet_1_3x": "ghostnet_130",
    "ghostnet_x0_5": "ghostnet_050",
    "ghostnet_x1_0": "ghostnet_100",
    "ghostnet_x1_3": "ghostnet_130",
}
