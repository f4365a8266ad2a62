"""MobileNetV4 (Qin 2024): universal inverted bottlenecks, and attention whose heads share keys and values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from .efficientnet import FusedMBConv
from .scale import Scaling
from .spec import Arch, Classifier, Conv, Dropout, Linear, Operator, Pool, Stage, Style


@dataclass(frozen=True)
class UIB(Operator):
    """Universal inverted bottleneck: [depthwise], expand to t x the input, [depthwise], project (Qin 2024, Figure 4).

    `start` and `mid` are the kernels of the two depthwise convolutions, 0 leaves one out: both is the paper's ExtraDW,
    only `start` ConvNext, only `mid` IB, none FFN. The stride is the second's, or the first's where there is no second.
    """

    t: float
    start: int = 0
    mid: int = 0
    layer_scale: bool = False  # a learned factor per channel of the branch, 1e-5 at first
    units: ClassVar[int] = 1


@dataclass(frozen=True)
class MQA(Operator):
    """Mobile multi-query attention, with layer scale: `heads` queries of `key` channels share one key and one value.

    Keys and values come from a map that is `kv_stride` x smaller (Qin 2024, section 4).
    """

    heads: int = 4
    key: int = 64
    kv_stride: int = 1
    units: ClassVar[int] = 1


def _layer_scaled(rows: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """The hybrids scale every bottleneck's branch, the convolutional ones none (mobilenet.py, use_layer_scale)."""

    def one(op: Operator) -> Operator:
        return replace(op, layer_scale=True) if isinstance(op, UIB) else op

    return tuple(replace(s, op=tuple(map(one, s.op)) if isinstance(s.op, tuple) else one(s.op)) for s in rows)


# The rows stand in the released code too: tensorflow/models official/vision/modeling/backbones/mobilenet.py.
# fmt: off
mobilenetv4_conv_small = Arch("mobilenetv4_conv_small", image=224,                           # Qin 2024, MNv4-Conv-S
    style=Style(act="relu"), source="arXiv 2404.10518, MNv4-Conv-S",
    stem=(Stage(Conv(k=3),                32, 1, 2),),
    stages=(  # operator            channels layers stride
        Stage(Conv(k=3),                  32, 1, 2),
        Stage(Conv(k=1),                  32, 1, 1),
        Stage(Conv(k=3),                  96, 1, 2),
        Stage(Conv(k=1),                  64, 1, 1),
        Stage(UIB(t=3, start=5, mid=5),   96, 1, 2),
        Stage(UIB(t=2, mid=3),            96, 4, 1),
        Stage(UIB(t=4, start=3),          96, 1, 1),
        Stage(UIB(t=6, start=3, mid=3),  128, 1, 2),
        Stage(UIB(t=4, start=5, mid=5),  128, 1, 1),
        Stage(UIB(t=4, mid=5),           128, 1, 1),
        Stage(UIB(t=3, mid=5),           128, 1, 1),
        Stage(UIB(t=4, mid=3),           128, 2, 1)),
    head=(Conv(960, k=1), Pool(), Linear(1280, norm="batch"), Dropout(), Classifier()),
    taps=("stem.0", "stages.1", "stages.3", "stages.6", "head.conv"))     # the last convolution counts, as in timm

mobilenetv4_conv_medium = replace(mobilenetv4_conv_small, name="mobilenetv4_conv_medium",    # Qin 2024, MNv4-Conv-M
    image=256, source="arXiv 2404.10518, MNv4-Conv-M",
    stages=(
        Stage(FusedMBConv(t=4, k=3),      48, 1, 2),
        Stage(UIB(t=4, start=3, mid=5),   80, 1, 2),
        Stage(UIB(t=2, start=3, mid=3),   80, 1, 1),
        Stage(UIB(t=6, start=3, mid=5),  160, 1, 2),
        Stage(UIB(t=4, start=3, mid=3),  160, 2, 1),
        Stage(UIB(t=4, start=3, mid=5),  160, 1, 1),
        Stage(UIB(t=4, start=3, mid=3),  160, 1, 1),
        Stage(UIB(t=4, start=3),         160, 1, 1),
        Stage(UIB(t=2),                  160, 1, 1),
        Stage(UIB(t=4, start=3),         160, 1, 1),
        Stage(UIB(t=6, start=5, mid=5),  256, 1, 2),
        Stage(UIB(t=4, start=5, mid=5),  256, 1, 1),
        Stage(UIB(t=4, start=3, mid=5),  256, 2, 1),
        Stage(UIB(t=4),                  256, 1, 1),
        Stage(UIB(t=4, start=3),         256, 1, 1),
        Stage(UIB(t=2, start=3, mid=5),  256, 1, 1),
        Stage(UIB(t=4, start=5, mid=5),  256, 1, 1),
        Stage(UIB(t=4),                  256, 2, 1),
        Stage(UIB(t=2, start=5),         256, 1, 1)),
    taps=("stem.0", "stages.0", "stages.2", "stages.9", "head.conv"))

mobilenetv4_conv_large = replace(mobilenetv4_conv_small, name="mobilenetv4_conv_large",      # Qin 2024, MNv4-Conv-L
    image=384, source="arXiv 2404.10518, MNv4-Conv-L",
    stem=(Stage(Conv(k=3),                24, 1, 2),),
    stages=(
        Stage(FusedMBConv(t=4, k=3),      48, 1, 2),
        Stage(UIB(t=4, start=3, mid=5),   96, 1, 2),
        Stage(UIB(t=4, start=3, mid=3),   96, 1, 1),
        Stage(UIB(t=4, start=3, mid=5),  192, 1, 2),
        Stage(UIB(t=4, start=3, mid=3),  192, 3, 1),
        Stage(UIB(t=4, start=3, mid=5),  192, 1, 1),
        Stage(UIB(t=4, start=5, mid=3),  192, 5, 1),
        Stage(UIB(t=4, start=3),         192, 1, 1),
        Stage(UIB(t=4, start=5, mid=5),  512, 4, 2),
        Stage(UIB(t=4, start=5),         512, 1, 1),
        Stage(UIB(t=4, start=5, mid=3),  512, 1, 1),
        Stage(UIB(t=4, start=5),         512, 2, 1),
        Stage(UIB(t=4, start=5, mid=3),  512, 1, 1),
        Stage(UIB(t=4, start=5, mid=5),  512, 1, 1),
        Stage(UIB(t=4, start=5),         512, 3, 1)),
    taps=("stem.0", "stages.0", "stages.2", "stages.7", "head.conv"))

mobilenetv4_hybrid_medium = replace(mobilenetv4_conv_small, name="mobilenetv4_hybrid_medium",  # Qin 2024, MNv4-Hybrid-M
    image=256, source="arXiv 2404.10518, MNv4-Hybrid-M",
    stages=_layer_scaled((
        Stage(FusedMBConv(t=4, k=3),      48, 1, 2),
        Stage(UIB(t=4, start=3, mid=5),   80, 1, 2),
        Stage(UIB(t=2, start=3, mid=3),   80, 1, 1),
        Stage(UIB(t=6, start=3, mid=5),  160, 1, 2),
        Stage(UIB(t=2),                  160, 1, 1),
        Stage(UIB(t=4, start=3, mid=3),  160, 1, 1),
        Stage(UIB(t=4, start=3, mid=5),  160, 1, 1),
        Stage((MQA(kv_stride=2), UIB(t=4, start=3, mid=3),
               MQA(kv_stride=2), UIB(t=4, start=3)),          160, 8, 1),
        Stage(UIB(t=6, start=5, mid=5),  256, 1, 2),
        Stage(UIB(t=4, start=5, mid=5),  256, 1, 1),
        Stage(UIB(t=4, start=3, mid=5),  256, 2, 1),
        Stage(UIB(t=2),                  256, 1, 1),
        Stage(UIB(t=2, start=3, mid=5),  256, 1, 1),
        Stage(UIB(t=2),                  256, 1, 1),
        Stage(UIB(t=4),                  256, 1, 1),
        Stage((MQA(), UIB(t=4, start=3)),         256, 2, 1),
        Stage((MQA(), UIB(t=4, start=5, mid=5)),  256, 2, 1),
        Stage((MQA(), UIB(t=4, start=5)),         256, 4, 1))),
    taps=("stem.0", "stages.0", "stages.2", "stages.7", "head.conv"))

mobilenetv4_hybrid_large = replace(mobilenetv4_conv_large, name="mobilenetv4_hybrid_large",  # Qin 2024, MNv4-Hybrid-L
    style=Style(act="gelu"), source="arXiv 2404.10518, MNv4-Hybrid-L",
    stages=_layer_scaled((
        Stage(FusedMBConv(t=4, k=3),      48, 1, 2),
        Stage(UIB(t=4, start=3, mid=5),   96, 1, 2),
        Stage(UIB(t=4, start=3, mid=3),   96, 1, 1),
        Stage(UIB(t=4, start=3, mid=5),  192, 1, 2),
        Stage(UIB(t=4, start=3, mid=3),  192, 3, 1),
        Stage(UIB(t=4, start=3, mid=5),  192, 1, 1),
        Stage(UIB(t=4, start=5, mid=3),  192, 2, 1),
        Stage((MQA(heads=8, key=48, kv_stride=2), UIB(t=4, start=5, mid=3)),  192, 6, 1),
        Stage((MQA(heads=8, key=48, kv_stride=2), UIB(t=4, start=3)),         192, 2, 1),
        Stage(UIB(t=4, start=5, mid=5),  512, 4, 2),
        Stage(UIB(t=4, start=5),         512, 1, 1),
        Stage(UIB(t=4, start=5, mid=3),  512, 1, 1),
        Stage(UIB(t=4, start=5),         512, 2, 1),
        Stage(UIB(t=4, start=5, mid=3),  512, 1, 1),
        Stage(UIB(t=4, start=5, mid=5),  512, 1, 1),
        Stage((MQA(heads=8), UIB(t=4, start=5)),  512, 8, 1))),
    taps=("stem.0", "stages.0", "stages.2", "stages.8", "head.conv"))
# fmt: on


def _narrow(arch: Arch, width: int) -> Arch:
    """timm's narrower ones keep the stem, as MobileNetV3's do."""
    kept = replace(arch, scaling=Scaling(stem=False), source="timm mobilenetv3.py, _gen_mobilenet_v4")
    return kept.scaled(f"{arch.name}_{width:03d}", width=width / 100)


ARCHS = (
    mobilenetv4_conv_small,
    mobilenetv4_conv_medium,
    mobilenetv4_conv_large,
    mobilenetv4_hybrid_medium,
    mobilenetv4_hybrid_large,
    _narrow(mobilenetv4_conv_small, 35),
    _narrow(mobilenetv4_conv_small, 50),
    _narrow(mobilenetv4_hybrid_medium, 75),
    _narrow(mobilenetv4_hybrid_large, 75),
)
# The paper's names (MNv4-Conv-S) and those of its released code (MobileNetV4ConvSmall).
ALIASES: dict[str, str] = {
    **{f"mnv4_{a.name.split('_')[1]}_{a.name.split('_')[2][0]}": a.name for a in ARCHS[:5]},
    **{a.name.replace("_", ""): a.name for a in ARCHS[:5]},
}
