"""Names of ResNet, ResNet-D, ResNeXt and SE-ResNet.

Sources: timm models/resnet.py, layers/squeeze_excite.py; torchvision models/resnet.py, whose names timm has kept.
"""

from __future__ import annotations

from ...arch.resnet import BasicBlock, Bottleneck
from ...arch.spec import Arch
from .table import Keys, Table, uses

# fmt: off
PLAIN: Table = {
    "stem.0.0":               ("conv1", "bn1"),
    "BasicBlock first":       ("layer{s1}.{b}.conv1", "layer{s1}.{b}.bn1"),
    "BasicBlock second":      ("layer{s1}.{b}.conv2", "layer{s1}.{b}.bn2"),
    "BasicBlock shortcut":    ("layer{s1}.{b}.downsample.0", "layer{s1}.{b}.downsample.1"),
    "Bottleneck squeeze":     ("layer{s1}.{b}.conv1", "layer{s1}.{b}.bn1"),
    "Bottleneck spatial":     ("layer{s1}.{b}.conv2", "layer{s1}.{b}.bn2"),
    "Bottleneck expand":      ("layer{s1}.{b}.conv3", "layer{s1}.{b}.bn3"),
    "Bottleneck shortcut":    ("layer{s1}.{b}.downsample.0", "layer{s1}.{b}.downsample.1"),
    "head.classifier":        ("fc",),
}
GATED: Table = PLAIN | {
    "BasicBlock gate.reduce": ("layer{s1}.{b}.se.fc1",),
    "BasicBlock gate.expand": ("layer{s1}.{b}.se.fc2",),
    "Bottleneck gate.reduce": ("layer{s1}.{b}.se.fc1",),
    "Bottleneck gate.expand": ("layer{s1}.{b}.se.fc2",),
}
D: Table = GATED | {  # a stem of three convolutions, and a pool before every projection
    "stem.0.0":               ("conv1.0", "conv1.1"),
    "stem.0.1":               ("conv1.3", "conv1.4"),
    "stem.1.0":               ("conv1.6", "bn1"),
    "BasicBlock shortcut":    ("layer{s1}.{b}.downsample.1", "layer{s1}.{b}.downsample.2"),
    "Bottleneck shortcut":    ("layer{s1}.{b}.downsample.1", "layer{s1}.{b}.downsample.2"),
}
# fmt: on


def _pooled(arch: Arch) -> bool:
    return any(getattr(op, "pooled", False) for stage in arch.stages for op in stage.ops)


def _gated(arch: Arch) -> bool:
    return uses(BasicBlock, Bottleneck)(arch) and any(getattr(op, "se", 0) for stage in arch.stages for op in stage.ops)


# The first that fits holds.
KEYS = (
    Keys(_pooled, {"timm": D}),
    Keys(_gated, {"timm": GATED}),
    Keys(uses(BasicBlock, Bottleneck), {"timm": PLAIN, "torchvision": PLAIN}),
)
