"""EfficientNet B0 to B8, L2 and Lite0 to Lite4 (Tan & Le 2019), EfficientNetV2 (Tan & Le 2021)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from .mobilenet import MBConv
from .scale import Scaling
from .spec import Arch, Classifier, Conv, Dropout, Operator, Pool, Stage, Style


@dataclass(frozen=True)
class FusedMBConv(Operator):
    """MBConv with its expansion and depthwise convolution fused into one k x k.

    With t = 1 there is no projection, unless `project` asks for it (timm's networks from before the release).
    """

    t: float
    k: int = 3
    project: bool = False
    units: ClassVar[int] = 1

    @property
    def projects(self) -> bool:
        return self.project or self.t != 1


# fmt: off
efficientnet_b0 = Arch("efficientnet_b0", image=224,                                  # Tan & Le 2019, Table 1
    style=Style(act="silu"), source="arXiv 1905.11946, Table 1",
    stem=(Stage(Conv(k=3),                 32, 1, 2),),
    stages=(  # operator             channels layers stride
        Stage(MBConv(t=1, k=3, se=.25),    16, 1, 1),
        Stage(MBConv(t=6, k=3, se=.25),    24, 2, 2),
        Stage(MBConv(t=6, k=5, se=.25),    40, 2, 2),
        Stage(MBConv(t=6, k=3, se=.25),    80, 3, 2),
        Stage(MBConv(t=6, k=5, se=.25),   112, 3, 1),
        Stage(MBConv(t=6, k=5, se=.25),   192, 4, 2),
        Stage(MBConv(t=6, k=3, se=.25),   320, 1, 1)),
    head=(Conv(1280, k=1), Pool(), Dropout(), Classifier()))

efficientnetv2_s = Arch("efficientnetv2_s", image=384,                                # Tan & Le 2021, Table 4
    style=Style(act="silu"), source="arXiv 2104.00298, Table 4",
    scaling=Scaling(guard=0),
    stem=(Stage(Conv(k=3),                 24, 1, 2),),
    stages=(  # operator             channels layers stride
        Stage(FusedMBConv(t=1, k=3),       24,  2, 1),
        Stage(FusedMBConv(t=4, k=3),       48,  4, 2),
        Stage(FusedMBConv(t=4, k=3),       64,  4, 2),
        Stage(MBConv(t=4, k=3, se=.25),   128,  6, 2),
        Stage(MBConv(t=6, k=3, se=.25),   160,  9, 1),
        Stage(MBConv(t=6, k=3, se=.25),   256, 15, 2)),
    head=(Conv(1280, k=1), Pool(), Dropout(), Classifier()))

efficientnetv2_m = replace(efficientnetv2_s, name="efficientnetv2_m", image=480,      # google/automl effnetv2_configs.py
    source="google/automl effnetv2_configs.py, v2_m_block",
    stages=(
        Stage(FusedMBConv(t=1, k=3),       24,  3, 1),
        Stage(FusedMBConv(t=4, k=3),       48,  5, 2),
        Stage(FusedMBConv(t=4, k=3),       80,  5, 2),
        Stage(MBConv(t=4, k=3, se=.25),   160,  7, 2),
        Stage(MBConv(t=6, k=3, se=.25),   176, 14, 1),
        Stage(MBConv(t=6, k=3, se=.25),   304, 18, 2),
        Stage(MBConv(t=6, k=3, se=.25),   512,  5, 1)))

efficientnetv2_l = replace(efficientnetv2_s, name="efficientnetv2_l", image=480,
    source="google/automl effnetv2_configs.py, v2_l_block",
    stem=(Stage(Conv(k=3),                 32,  1, 2),),
    stages=(
        Stage(FusedMBConv(t=1, k=3),       32,  4, 1),
        Stage(FusedMBConv(t=4, k=3),       64,  7, 2),
        Stage(FusedMBConv(t=4, k=3),       96,  7, 2),
        Stage(MBConv(t=4, k=3, se=.25),   192, 10, 2),
        Stage(MBConv(t=6, k=3, se=.25),   224, 19, 1),
        Stage(MBConv(t=6, k=3, se=.25),   384, 25, 2),
        Stage(MBConv(t=6, k=3, se=.25),   640,  7, 1)))

efficientnetv2_xl = replace(efficientnetv2_l, name="efficientnetv2_xl", image=512,
    source="google/automl effnetv2_configs.py, v2_xl_block",
    stages=(
        Stage(FusedMBConv(t=1, k=3),       32,  4, 1),
        Stage(FusedMBConv(t=4, k=3),       64,  8, 2),
        Stage(FusedMBConv(t=4, k=3),       96,  8, 2),
        Stage(MBConv(t=4, k=3, se=.25),   192, 16, 2),
        Stage(MBConv(t=6, k=3, se=.25),   256, 24, 1),
        Stage(MBConv(t=6, k=3, se=.25),   512, 32, 2),
        Stage(MBConv(t=6, k=3, se=.25),   640,  8, 1)))

efficientnetv2_b0 = replace(efficientnetv2_s, name="efficientnetv2_b0", image=224,
    source="google/automl effnetv2_configs.py, v2_base_block",
    stem=(Stage(Conv(k=3),                 32, 1, 2),),
    stages=(
        Stage(FusedMBConv(t=1, k=3),       16, 1, 1),
        Stage(FusedMBConv(t=4, k=3),       32, 2, 2),
        Stage(FusedMBConv(t=4, k=3),       48, 2, 2),
        Stage(MBConv(t=4, k=3, se=.25),    96, 3, 2),
        Stage(MBConv(t=6, k=3, se=.25),   112, 5, 1),
        Stage(MBConv(t=6, k=3, se=.25),   192, 8, 2)))

# timm drew its own V2 from the paper's figure before the code was out, and with the 10 % guard: rw_t, rw_s and rw_m.
efficientnetv2_rw_s = replace(efficientnetv2_s, name="efficientnetv2_rw_s", image=384,
    source="timm efficientnet.py, _gen_efficientnetv2_s(rw=True)",
    scaling=Scaling(),
    stages=(
        Stage(FusedMBConv(t=1, k=3, project=True), 24, 2, 1),
        Stage(FusedMBConv(t=4, k=3),       48,  4, 2),
        Stage(FusedMBConv(t=4, k=3),       64,  4, 2),
        Stage(MBConv(t=4, k=3, se=.25),   128,  6, 2),
        Stage(MBConv(t=6, k=3, se=.25),   160,  9, 1),
        Stage(MBConv(t=6, k=3, se=.25),   272, 15, 2)),
    head=(Conv(1792, k=1), Pool(), Dropout(), Classifier()))
_RW_M = (3, 5, 5, 8, 15, 24)  # layers: depth 1.2 for the first four stages, 1.6 for the last two

# width, depth, image: tensorflow/tpu efficientnet_builder.py; the paper's formula does not give B3 to B7 exactly.
_V1 = {"b1": (1.0, 1.1, 240), "b2": (1.1, 1.2, 260), "b3": (1.2, 1.4, 300), "b4": (1.4, 1.8, 380), "b5": (1.6, 2.2, 456),
       "b6": (1.8, 2.6, 528), "b7": (2.0, 3.1, 600), "b8": (2.2, 3.6, 672), "l2": (4.3, 5.3, 800)}
_LITE = {"lite0": (1.0, 1.0, 224), "lite1": (1.0, 1.1, 240), "lite2": (1.1, 1.2, 260), "lite3": (1.2, 1.4, 280),
         "lite4": (1.4, 1.8, 300)}
_V2 = {"b1": (1.0, 1.1, 240), "b2": (1.1, 1.2, 260), "b3": (1.2, 1.4, 300)}
# fmt: on

# Lite (efficientnet_lite_builder.py): no SE, ReLU6, stem and last convolution fixed, first and last stage not deepened.
_lite = replace(
    efficientnet_b0,
    name="efficientnet_lite0",
    source="tensorflow/tpu efficientnet_lite_builder.py",
    style=Style(act="relu6"),
    scaling=Scaling(stem=False, head="fixed", ends=False),
    stages=tuple(replace(s, op=replace(s.op, se=0.0)) for s in efficientnet_b0.stages if isinstance(s.op, MBConv)),
)

_symmetric = (
    efficientnet_b0,
    *(efficientnet_b0.scaled(f"efficientnet_{n}", width=w, depth=d, image=i) for n, (w, d, i) in _V1.items()),
    *(_lite.scaled(f"efficientnet_{n}", width=w, depth=d, image=i) for n, (w, d, i) in _LITE.items()),
    efficientnetv2_s,
    efficientnetv2_m,
    efficientnetv2_l,
    efficientnetv2_xl,
    efficientnetv2_b0,
    *(efficientnetv2_b0.scaled(f"efficientnetv2_{n}", width=w, depth=d, image=i) for n, (w, d, i) in _V2.items()),
)

_rw = (
    replace(
        efficientnetv2_s, scaling=Scaling(), source="timm efficientnet.py, _gen_efficientnetv2_s, width 0.8, depth 0.9"
    ).scaled("efficientnetv2_rw_t", width=0.8, depth=0.9, image=288),
    efficientnetv2_rw_s,
    replace(
        efficientnetv2_rw_s,
        stages=tuple(replace(s, layers=n) for s, n in zip(efficientnetv2_rw_s.stages, _RW_M, strict=True)),
    ).scaled("efficientnetv2_rw_m", width=1.2, image=416),
)

# The `tf_` names: TensorFlow's padding and BN constants (decay 0.99 is momentum 0.01 here).
ARCHS = (*_symmetric, *_rw, *(a.styled(f"tf_{a.name}", pad="same", eps=1e-3, momentum=0.01) for a in _symmetric))
