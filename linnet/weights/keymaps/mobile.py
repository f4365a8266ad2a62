"""Networks of inverted bottlenecks: MobileNet V1 to V3, MnasNet, EfficientNet V1 and V2.

Sources: timm models/_efficientnet_builder.py, torchvision models/{efficientnet, mobilenetv2, mobilenetv3, mnasnet}.py,
lukemelas/EfficientNet-PyTorch model.py. The last is held against Lite0's file in tests/weights/test_pretrained.py, which
has no gates: those two of its lines are from the source alone.
"""

from __future__ import annotations

from ...arch.efficientnet import FusedMBConv
from ...arch.mobilenet import Bneck, MBConv, SepConv
from ...arch.spec import Arch, Layer
from .table import Keys, Table, uses

# fmt: off
TIMM: Table = {
    "stem.0.0":              ("conv_stem", "bn1"),
    # block without an expansion
    "separable depthwise":   ("blocks.{s}.{b}.conv_dw", "blocks.{s}.{b}.bn1"),
    "separable gate.reduce": ("blocks.{s}.{b}.se.conv_reduce",),
    "separable gate.expand": ("blocks.{s}.{b}.se.conv_expand",),
    "separable project":     ("blocks.{s}.{b}.conv_pw", "blocks.{s}.{b}.bn2"),
    # mobile inverted bottleneck
    "inverted expand":       ("blocks.{s}.{b}.conv_pw", "blocks.{s}.{b}.bn1"),
    "inverted depthwise":    ("blocks.{s}.{b}.conv_dw", "blocks.{s}.{b}.bn2"),
    "inverted gate.reduce":  ("blocks.{s}.{b}.se.conv_reduce",),
    "inverted gate.expand":  ("blocks.{s}.{b}.se.conv_expand",),
    "inverted project":      ("blocks.{s}.{b}.conv_pwl", "blocks.{s}.{b}.bn3"),
    # fused, with and without a projection
    "fused expand":          ("blocks.{s}.{b}.conv_exp", "blocks.{s}.{b}.bn1"),
    "fused project":         ("blocks.{s}.{b}.conv_pwl", "blocks.{s}.{b}.bn2"),
    "plain expand":          ("blocks.{s}.{b}.conv", "blocks.{s}.{b}.bn1"),
    "head.conv":             ("conv_head", "bn2"),
    "head.classifier":       ("classifier",),
}
# MobileNetV3's table has a row per change of exp; timm groups its blocks, GROUPS_V3.
TIMM_V3: Table = {part: tuple(n.replace("{s}.{b}", "{g}.{i}") for n in line) for part, line in TIMM.items()} | {
    "head.conv":             ("blocks.{groups}.0.conv", "blocks.{groups}.0.bn1"),
    "head.linear.0":         ("conv_head (1x1)",),
}

TORCHVISION_EFFICIENTNET: Table = {
    "stem.0.0":              ("features.0.0", "features.0.1"),
    "separable depthwise":   ("features.{s1}.{b}.block.0.0", "features.{s1}.{b}.block.0.1"),
    "separable gate.reduce": ("features.{s1}.{b}.block.1.fc1",),
    "separable gate.expand": ("features.{s1}.{b}.block.1.fc2",),
    "separable project":     ("features.{s1}.{b}.block.2.0", "features.{s1}.{b}.block.2.1"),
    "inverted expand":       ("features.{s1}.{b}.block.0.0", "features.{s1}.{b}.block.0.1"),
    "inverted depthwise":    ("features.{s1}.{b}.block.1.0", "features.{s1}.{b}.block.1.1"),
    "inverted gate.reduce":  ("features.{s1}.{b}.block.2.fc1",),
    "inverted gate.expand":  ("features.{s1}.{b}.block.2.fc2",),
    "inverted project":      ("features.{s1}.{b}.block.3.0", "features.{s1}.{b}.block.3.1"),
    "fused expand":          ("features.{s1}.{b}.block.0.0", "features.{s1}.{b}.block.0.1"),
    "fused project":         ("features.{s1}.{b}.block.1.0", "features.{s1}.{b}.block.1.1"),
    "plain expand":          ("features.{s1}.{b}.block.0.0", "features.{s1}.{b}.block.0.1"),
    "head.conv":             ("features.{stages1}.0", "features.{stages1}.1"),
    "head.classifier":       ("classifier.1",),
}
TORCHVISION_V2: Table = {
    "stem.0.0":              ("features.0.0", "features.0.1"),
    "separable depthwise":   ("features.{f1}.conv.0.0", "features.{f1}.conv.0.1"),
    "separable project":     ("features.{f1}.conv.1", "features.{f1}.conv.2"),
    "inverted expand":       ("features.{f1}.conv.0.0", "features.{f1}.conv.0.1"),
    "inverted depthwise":    ("features.{f1}.conv.1.0", "features.{f1}.conv.1.1"),
    "inverted project":      ("features.{f1}.conv.2", "features.{f1}.conv.3"),
    "head.conv":             ("features.{blocks1}.0", "features.{blocks1}.1"),
    "head.classifier":       ("classifier.1",),
}
TORCHVISION_V3: Table = {  # the gate, where there is one, moves the projection up by one
    "stem.0.0":              ("features.0.0", "features.0.1"),
    "separable depthwise":   ("features.{f1}.block.0.0", "features.{f1}.block.0.1"),
    "separable gate.reduce": ("features.{f1}.block.1.fc1",),
    "separable gate.expand": ("features.{f1}.block.1.fc2",),
    "separable project":     ("features.{f1}.block.{gate1}.0", "features.{f1}.block.{gate1}.1"),
    "inverted expand":       ("features.{f1}.block.0.0", "features.{f1}.block.0.1"),
    "inverted depthwise":    ("features.{f1}.block.1.0", "features.{f1}.block.1.1"),
    "inverted gate.reduce":  ("features.{f1}.block.2.fc1",),
    "inverted gate.expand":  ("features.{f1}.block.2.fc2",),
    "inverted project":      ("features.{f1}.block.{gate2}.0", "features.{f1}.block.{gate2}.1"),
    "head.conv":             ("features.{blocks1}.0", "features.{blocks1}.1"),
    "head.linear.0":         ("classifier.0",),
    "head.classifier":       ("classifier.3",),
}
TORCHVISION_MNASNET: Table = {
    "stem.0.0":              ("layers.0", "layers.1"),
    "separable depthwise":   ("layers.3", "layers.4"),
    "separable project":     ("layers.6", "layers.7"),
    "inverted expand":       ("layers.{s7}.{b}.layers.0", "layers.{s7}.{b}.layers.1"),
    "inverted depthwise":    ("layers.{s7}.{b}.layers.3", "layers.{s7}.{b}.layers.4"),
    "inverted project":      ("layers.{s7}.{b}.layers.6", "layers.{s7}.{b}.layers.7"),
    "head.conv":             ("layers.{stages7}", "layers.{stages8}"),
    "head.classifier":       ("classifier.1",),
}
EFFICIENTNET_PYTORCH: Table = {  # lukemelas', whose names TensorFlow ports carry
    "stem.0.0":              ("_conv_stem", "_bn0"),
    "separable depthwise":   ("_blocks.{f}._depthwise_conv", "_blocks.{f}._bn1"),
    "separable gate.reduce": ("_blocks.{f}._se_reduce",),
    "separable gate.expand": ("_blocks.{f}._se_expand",),
    "separable project":     ("_blocks.{f}._project_conv", "_blocks.{f}._bn2"),
    "inverted expand":       ("_blocks.{f}._expand_conv", "_blocks.{f}._bn0"),
    "inverted depthwise":    ("_blocks.{f}._depthwise_conv", "_blocks.{f}._bn1"),
    "inverted gate.reduce":  ("_blocks.{f}._se_reduce",),
    "inverted gate.expand":  ("_blocks.{f}._se_expand",),
    "inverted project":      ("_blocks.{f}._project_conv", "_blocks.{f}._bn2"),
    "head.conv":             ("_conv_head", "_bn1"),
    "head.classifier":       ("_fc",),
}
# fmt: on


def _kind(layer: Layer) -> str:
    """A block without an expansion numbers its norms otherwise than one with."""
    match layer.op:
        case FusedMBConv() as op:
            return "fused" if op.projects else "plain"
        case Bneck() as op:
            return "separable" if op.exp == layer.cin else "inverted"
        case MBConv() as op:
            return "separable" if op.t == 1 else "inverted"
    return "separable"


def _gate(layer: Layer) -> dict[str, int]:
    """torchvision's MobileNetV3 numbers a projection by whether a gate stands before it."""
    return {"gate": int(bool(getattr(layer.op, "se", False)))}


def _mnasnet(arch: Arch) -> bool:
    return any(isinstance(op, SepConv) and op.linear for stage in arch.stages for op in stage.ops)


def _gated(arch: Arch) -> bool:
    return any(isinstance(op, FusedMBConv) or getattr(op, "se", 0) for stage in arch.stages for op in stage.ops)


GROUPS_V3 = {15: (1, 2, 3, 4, 2, 3), 11: (1, 2, 3, 2, 3)}

# The first that fits holds.
KEYS = (
    Keys(uses(Bneck), {"timm": TIMM_V3, "torchvision": TORCHVISION_V3}, _kind, _gate, groups=GROUPS_V3),
    Keys(_mnasnet, {"timm": TIMM, "torchvision": TORCHVISION_MNASNET}, _kind),
    Keys(uses(SepConv), {"timm": TIMM}, _kind),
    Keys(
        _gated,
        {"timm": TIMM, "torchvision": TORCHVISION_EFFICIENTNET, "efficientnet_pytorch": EFFICIENTNET_PYTORCH},
        _kind,
    ),
    Keys(
        uses(MBConv),
        {"timm": TIMM, "torchvision": TORCHVISION_V2, "efficientnet_pytorch": EFFICIENTNET_PYTORCH},
        _kind,
    ),
)
