"""SqueezeNet (Iandola 2016): fire modules, pools that round up, and a convolution for a classifier, above the pooling."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .spec import Arch, Classifier, Conv, Dropout, MaxPool, Operator, Pool, Scaling, Size, Stage, Style


@dataclass(frozen=True)
class Fire(Operator):
    """Squeeze 1 x 1, then 1 x 1 and 3 x 3 side by side, half of the row's channels each (Iandola 2016, Figure 1)."""

    squeeze: int

    def widened(self, cin: int, wide: int, scaling: Scaling) -> Fire:
        return replace(self, squeeze=scaling.channels(self.squeeze, wide / cin))


@dataclass(frozen=True)
class ConvClassifier(Classifier):
    """1 x 1 convolution and activation: logits of every pixel, which the Pool below averages (conv10 in the paper)."""

    def out_size(self, size: Size, stride: int, dilation: int) -> Size:
        return size


_pool = Stage(MaxPool(k=3, pad=0, ceil=True), 0, 1, 2)
_head = (Dropout(), ConvClassifier(), Pool())

# fmt: off
squeezenet1_0 = Arch("squeezenet1_0", image=224, head=_head, init="he",                          # Iandola 2016, Table 1
    style=Style(act="relu", norm="none"), source="arXiv 1602.07360, Table 1",
    stem=(Stage(Conv(k=7, pad=0), 96, 1, 2), _pool),
    stages=(  # operator    channels layers stride
        Stage(Fire(squeeze=16), 128, 2, 1),
        Stage(Fire(squeeze=32), 256, 1, 1), _pool,
        Stage(Fire(squeeze=32), 256, 1, 1),
        Stage(Fire(squeeze=48), 384, 2, 1),
        Stage(Fire(squeeze=64), 512, 1, 1), _pool,
        Stage(Fire(squeeze=64), 512, 1, 1)))

squeezenet1_1 = replace(squeezenet1_0, name="squeezenet1_1",                                 # forresti/SqueezeNet, v1.1
    source="github.com/forresti/SqueezeNet, SqueezeNet_v1.1: a smaller first kernel, the pools further up",
    stem=(Stage(Conv(k=3, pad=0), 64, 1, 2), _pool),
    stages=(
        Stage(Fire(squeeze=16), 128, 2, 1), _pool,
        Stage(Fire(squeeze=32), 256, 2, 1), _pool,
        Stage(Fire(squeeze=48), 384, 2, 1),
        Stage(Fire(squeeze=64), 512, 2, 1)))
# fmt: on

ARCHS = (squeezenet1_0, squeezenet1_1)

ALIASES = {
    "squeezenet": "squeezenet1_0",
    "squeezenet_1_0": "squeezenet1_0",
    "squeezenet_v1_0": "squeezenet1_0",
    "squeezenet_1_1": "squeezenet1_1",
    "squeezenet_v1_1": "squeezenet1_1",
}
