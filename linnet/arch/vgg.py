"""Plain stacks of convolutions: LeNet-5 (LeCun 1998), AlexNet (Krizhevsky 2012 and 2014), VGG (Simonyan 2015)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .scale import Scaling
from .spec import Arch, Classifier, Conv, Dropout, Linear, MaxPool, Operator, Pool, Size, Stage, Style


@dataclass(frozen=True)
class BiasedConv(Conv):
    """Conv whose convolution keeps its bias before the norm, which makes it useless: VGG's with BatchNorm have it."""


@dataclass(frozen=True)
class GridPool(Pool):
    """The average of k x k cells of the map, flattened: [C * k * k], whatever the image's size.

    The papers flatten a map of just k x k; of such a map it changes nothing. Source: torchvision vgg.py and alexnet.py,
    avgpool.
    """

    k: int = 7

    def out_channels(self, cin: int, channels: int, size: Size) -> int:
        return cin * self.k * self.k


@dataclass(frozen=True)
class ResponseNorm(Operator):
    """Divides by (k + alpha * the sum of squares of the n nearest channels)^beta (Krizhevsky 2012, section 3.3)."""

    k: float = 2.0
    n: int = 5
    alpha: float = 1e-4
    beta: float = 0.75

    @property
    def repeats(self) -> bool:
        return False

    def out_channels(self, cin: int, channels: int, size: Size) -> int:
        return cin


@dataclass(frozen=True)
class Subsample(Operator):
    """Average of k x k pixels that do not overlap; LeNet-5's trained factor and bias of each map are left out."""

    k: int = 2

    @property
    def repeats(self) -> bool:
        return False

    def out_size(self, size: Size, stride: int, dilation: int) -> Size:
        return tuple((n - self.k) // stride + 1 for n in size)

    def out_channels(self, cin: int, channels: int, size: Size) -> int:
        return cin


_style = Style(act="relu", norm="none")

# fmt: off
vgg16 = Arch("vgg16", image=224, style=_style, source="arXiv 1409.1556, Table 1, column D",    # Simonyan 2015, Table 1
    stem=(Stage(Conv(k=3),            64, 2, 1),),
    stages=(  # operator        channels layers stride
        Stage(MaxPool(k=2, pad=0),     0, 1, 2),  Stage(Conv(k=3), 128, 2, 1),
        Stage(MaxPool(k=2, pad=0),     0, 1, 2),  Stage(Conv(k=3), 256, 3, 1),
        Stage(MaxPool(k=2, pad=0),     0, 1, 2),  Stage(Conv(k=3), 512, 3, 1),
        Stage(MaxPool(k=2, pad=0),     0, 1, 2),  Stage(Conv(k=3), 512, 3, 1),
        Stage(MaxPool(k=2, pad=0),     0, 1, 2)),
    head=(GridPool(k=7), Linear(4096), Dropout(), Linear(4096), Dropout(), Classifier()),
    taps=("stem.0", "stages.1", "stages.3", "stages.5", "stages.7", "stages.8"))   # from the full size on, as in timm

alexnet = Arch("alexnet", image=224, style=_style, init="torch",                 # Krizhevsky 2014, the one-tower network
    source="arXiv 1404.5997; torchvision alexnet.py",
    stem=(
        Stage(Conv(k=11, pad=2),      64, 1, 4),
        Stage(MaxPool(k=3, pad=0),     0, 1, 2)),
    stages=(  # operator        channels layers stride
        Stage(Conv(k=5),             192, 1, 1),
        Stage(MaxPool(k=3, pad=0),     0, 1, 2),
        Stage(Conv(k=3),             384, 1, 1),
        Stage(Conv(k=3),             256, 2, 1),
        Stage(MaxPool(k=3, pad=0),     0, 1, 2)),
    head=(GridPool(k=6), Dropout(), Linear(4096), Dropout(), Linear(4096), Classifier()))

# Two towers, one per GPU, that meet in the third convolution and in the linear layers. The paper's 224 pixels do not
# give its 55 x 55 map, 227 do.
alexnet_2012 = Arch("alexnet_2012", image=227, style=_style, init="torch",              # Krizhevsky 2012, section 3.5
    source="NeurIPS 2012, sections 3.3 to 3.5",
    stem=(
        Stage(Conv(k=11, pad=0),      96, 1, 4),
        Stage(ResponseNorm(),          0, 1, 1),
        Stage(MaxPool(k=3, pad=0),     0, 1, 2)),
    stages=(  # operator        channels layers stride
        Stage(Conv(k=5, groups=2),   256, 1, 1),
        Stage(ResponseNorm(),          0, 1, 1),
        Stage(MaxPool(k=3, pad=0),     0, 1, 2),
        Stage(Conv(k=3),             384, 1, 1),
        Stage(Conv(k=3, groups=2),   384, 1, 1),
        Stage(Conv(k=3, groups=2),   256, 1, 1),
        Stage(MaxPool(k=3, pad=0),     0, 1, 2)),
    head=(GridPool(k=6), Linear(4096), Dropout(), Linear(4096), Dropout(), Classifier()))

# As it is built today: C3 sees all maps of S2 (the paper's Table I leaves connections out), the subsampling has nothing
# to train, the tanh is not stretched and the output is linear, not Euclidean. The paper's digits have one channel.
lenet5 = Arch("lenet5", image=32, style=Style(act="tanh", norm="none"), init="torch",            # LeCun 1998, Figure 2
    source="Proceedings of the IEEE 86(11), 1998, section II.B",
    scaling=Scaling(divisor=2),
    stem=(
        Stage(Conv(k=5, pad=0),        6, 1, 1),),   # C1
    stages=(  # operator        channels layers stride
        Stage(Subsample(k=2),          0, 1, 2),     # S2
        Stage(Conv(k=5, pad=0),       16, 1, 1),     # C3
        Stage(Subsample(k=2),          0, 1, 2),     # S4
        Stage(Conv(k=5, pad=0),      120, 1, 1)),    # C5: 1 x 1 at 32 pixels
    head=(Pool(), Linear(84), Classifier(10)))       # F6
# fmt: on


def _normed(arch: Arch, name: str) -> Arch:
    """With a BatchNorm behind every convolution (torchvision vgg.py, vgg16_bn)."""

    def biased(stage: Stage) -> Stage:
        return replace(stage, op=BiasedConv(k=stage.op.k)) if isinstance(stage.op, Conv) else stage

    stem, stages = tuple(map(biased, arch.stem)), tuple(map(biased, arch.stages))
    return replace(arch, name=name, style=replace(arch.style, norm="batch"), stem=stem, stages=stages)


vgg16_bn = _normed(vgg16, "vgg16_bn")

ARCHS = (vgg16, vgg16_bn, alexnet, alexnet_2012, lenet5)

ALIASES = {
    "vgg_16": "vgg16",
    "vgg_16_bn": "vgg16_bn",
    "alexnet_owt": "alexnet",
    "lenet": "lenet5",
    "lenet_5": "lenet5",
}
