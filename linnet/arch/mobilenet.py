"""MobileNetV1 (Howard 2017), MobileNetV2 (Sandler 2018), MobileNetV3 (Howard 2019)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from .scale import Scaling, round_channels
from .spec import Arch, Classifier, Conv, Dropout, Layer, Linear, Operator, Pool, Size, Stage, Style


@dataclass(frozen=True)
class SepConv(Operator):
    """Depthwise k x k, then pointwise 1 x 1; `linear` leaves out the last activation (MnasNet's first row)."""

    k: int = 3
    linear: bool = False
    units: ClassVar[int] = 1


@dataclass(frozen=True)
class MBConv(Operator):
    """Mobile inverted bottleneck: expand 1 x 1 to t x the input, depthwise k x k, project 1 x 1.

    `se` is the width of squeeze-and-excitation as a part of the block's *input* channels (EfficientNet, MnasNet).
    """

    t: float
    k: int = 3
    se: float = 0.0
    units: ClassVar[int] = 1

    def part(self, role: str, layer: Layer) -> tuple[int, Size]:
        return _part(self, role, layer, round(layer.cin * self.t))


@dataclass(frozen=True)
class Bneck(Operator):
    """MobileNetV3's bneck: `exp` is the expanded width itself; SE has a quarter of it, rounded to 8, and a hard gate."""

    exp: int
    k: int
    se: bool = False
    nl: Literal["RE", "HS"] = "RE"
    units: ClassVar[int] = 1

    def widened(self, cin: int, wide: int, scaling: Scaling) -> Bneck:
        # Released code keeps the ratio exp / input and rounds the result (TF-slim expand_input_by_factor, timm).
        return self if wide == cin else replace(self, exp=round_channels(wide * self.exp / cin, scaling.divisor))

    def part(self, role: str, layer: Layer) -> tuple[int, Size]:
        return _part(self, role, layer, self.exp)

    @property
    def squeezed(self) -> int:
        return round_channels(self.exp / 4)


def _part(op: Operator, role: str, layer: Layer, mid: int) -> tuple[int, Size]:
    """Inside an inverted bottleneck: SSDLite reads the expansion of a layer with a stride, before it is taken."""
    if role == "depthwise":
        return mid, layer.out_size
    return (mid, layer.size) if role == "expand" and mid != layer.cin else Operator.part(op, role, layer)


# fmt: off
mobilenetv1_100 = Arch("mobilenetv1_100", image=224,                                         # Howard 2017, Table 1
    style=Style(act="relu6"), init="slim", source="arXiv 1704.04861, Table 1",
    stem=(Stage(Conv(k=3),   32, 1, 2),),
    stages=(  # operator channels layers stride
        Stage(SepConv(),     64, 1, 1),
        Stage(SepConv(),    128, 2, 2),
        Stage(SepConv(),    256, 2, 2),
        Stage(SepConv(),    512, 6, 2),
        Stage(SepConv(),   1024, 2, 2)),   # the paper prints stride 2 for the last layer too; 7 x 7 is kept
    head=(Pool(), Dropout(), Classifier()))

mobilenetv2_100 = Arch("mobilenetv2_100", image=224,                                         # Sandler 2018, Table 2
    style=Style(act="relu6"), init="slim", source="arXiv 1801.04381, Table 2",
    scaling=Scaling(head="grows"),
    stem=(Stage(Conv(k=3),        32, 1, 2),),
    stages=(  # operator           c  n  s
        Stage(MBConv(t=1, k=3),   16, 1, 1),
        Stage(MBConv(t=6, k=3),   24, 2, 2),
        Stage(MBConv(t=6, k=3),   32, 3, 2),
        Stage(MBConv(t=6, k=3),   64, 4, 2),
        Stage(MBConv(t=6, k=3),   96, 3, 1),
        Stage(MBConv(t=6, k=3),  160, 3, 2),
        Stage(MBConv(t=6, k=3),  320, 1, 1)),
    head=(Conv(1280, k=1), Pool(), Dropout(), Classifier()))

mobilenetv3_large_100 = Arch("mobilenetv3_large_100", image=224,                             # Howard 2019, Table 1
    style=Style(act="hswish"), init="slim", source="arXiv 1905.02244v5, Table 1",
    stem=(Stage(Conv(k=3),                           16, 1, 2),),
    stages=(  #       exp  k        SE       NL     out  n  s
        Stage(Bneck(   16, 3, se=False, nl="RE"),    16, 1, 1),
        Stage(Bneck(   64, 3, se=False, nl="RE"),    24, 1, 2),
        Stage(Bneck(   72, 3, se=False, nl="RE"),    24, 1, 1),
        Stage(Bneck(   72, 5, se=True,  nl="RE"),    40, 1, 2),
        Stage(Bneck(  120, 5, se=True,  nl="RE"),    40, 2, 1),
        Stage(Bneck(  240, 3, se=False, nl="HS"),    80, 1, 2),
        Stage(Bneck(  200, 3, se=False, nl="HS"),    80, 1, 1),
        Stage(Bneck(  184, 3, se=False, nl="HS"),    80, 2, 1),
        Stage(Bneck(  480, 3, se=True,  nl="HS"),   112, 1, 1),
        Stage(Bneck(  672, 3, se=True,  nl="HS"),   112, 1, 1),
        Stage(Bneck(  672, 5, se=True,  nl="HS"),   160, 1, 2),
        Stage(Bneck(  960, 5, se=True,  nl="HS"),   160, 2, 1)),
    head=(Conv(960, k=1), Pool(), Linear(1280), Dropout(), Classifier()),
    taps=("stages.0", "stages.2", "stages.4", "stages.9", "head.conv"))   # the last convolution counts, as in timm

mobilenetv3_small_100 = Arch("mobilenetv3_small_100", image=224,                             # Howard 2019, Table 2
    style=Style(act="hswish"), init="slim", source="arXiv 1905.02244v5, Table 2",
    stem=(Stage(Conv(k=3),                           16, 1, 2),),
    stages=(  #       exp  k        SE       NL     out  n  s
        Stage(Bneck(   16, 3, se=True,  nl="RE"),    16, 1, 2),
        Stage(Bneck(   72, 3, se=False, nl="RE"),    24, 1, 2),
        Stage(Bneck(   88, 3, se=False, nl="RE"),    24, 1, 1),
        Stage(Bneck(   96, 5, se=True,  nl="HS"),    40, 1, 2),
        Stage(Bneck(  240, 5, se=True,  nl="HS"),    40, 2, 1),
        Stage(Bneck(  120, 5, se=True,  nl="HS"),    48, 1, 1),
        Stage(Bneck(  144, 5, se=True,  nl="HS"),    48, 1, 1),
        Stage(Bneck(  288, 5, se=True,  nl="HS"),    96, 1, 2),
        Stage(Bneck(  576, 5, se=True,  nl="HS"),    96, 2, 1)),
    head=(Conv(576, k=1), Pool(), Linear(1024), Dropout(), Classifier()),
    taps=("stem.0", "stages.0", "stages.2", "stages.6", "head.conv"))
# fmt: on


def _minimal(arch: Arch, name: str) -> Arch:
    """MobileNetV3 "minimalistic": 3 x 3 only, ReLU, no squeeze-and-excitation (TF-slim, mobilenet_v3.py)."""

    def plain(stage: Stage) -> Stage:
        assert isinstance(stage.op, Bneck)
        return replace(stage, op=replace(stage.op, k=3, se=False, nl="RE"))

    return replace(arch, name=name, style=replace(arch.style, act="relu"), stages=tuple(plain(s) for s in arch.stages))


def _widths() -> tuple[Arch, ...]:
    """The widths that papers, timm and TF-slim name: the suffix is the width in per cent."""
    v1 = [mobilenetv1_100.scaled(f"mobilenetv1_{w:03d}", width=w / 100) for w in (25, 50, 75, 125)]
    v2 = [mobilenetv2_100.scaled(f"mobilenetv2_{w:03d}", width=w / 100) for w in (35, 50, 75, 130, 140)]
    # timm's deeper ones keep the stem and the last convolution, and the ends of the table.
    fixed = replace(mobilenetv2_100, scaling=Scaling(stem=False, head="fixed", ends=False))
    v2 += [
        fixed.scaled("mobilenetv2_110d", width=1.1, depth=1.2),
        fixed.scaled("mobilenetv2_120d", width=1.2, depth=1.4),
    ]
    v3: list[Arch] = []
    for base in (mobilenetv3_large_100, mobilenetv3_small_100):
        stem = base.name.removesuffix("100")
        for w in (35, 50, 75, 125):
            # Below 0.75 the stem keeps its 16 channels (TF-slim and timm).
            rule = replace(base.scaling, stem=w >= 75)
            v3.append(replace(base, scaling=rule).scaled(f"{stem}{w:03d}", width=w / 100))
        v3.append(_minimal(base, f"{stem}minimal_100"))
    tf = [
        a.styled(f"tf_{a.name}", pad="same", eps=1e-3, momentum=0.01)
        for a in (mobilenetv3_large_100, mobilenetv3_small_100, *v3)
        if a.name.endswith(("075", "100"))
    ]
    return (*v1, *v2, *v3, *tf)


ARCHS = (mobilenetv1_100, mobilenetv2_100, mobilenetv3_large_100, mobilenetv3_small_100, *_widths())
