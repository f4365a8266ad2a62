"""Names of EfficientViT of MIT (Cai 2023) in timm; torchvision has none. Source: timm models/efficientvit_mit.py."""

from __future__ import annotations

from ...arch.efficientvit import EfficientViT
from .table import Keys, Table, uses

# fmt: off
TIMM: Table = {
    "stem.0.0":           ("stem.in_conv.conv", "stem.in_conv.norm"),
    "stem.1.0.depthwise": ("stem.res0.main.depth_conv.conv", "stem.res0.main.depth_conv.norm"),
    "stem.1.0.project":   ("stem.res0.main.point_conv.conv", "stem.res0.main.point_conv.norm"),
    "MBConv expand":      ("stages.{g}.blocks.{i}.main.inverted_conv.conv", "stages.{g}.blocks.{i}.main.inverted_conv.norm"),
    "MBConv depthwise":   ("stages.{g}.blocks.{i}.main.depth_conv.conv", "stages.{g}.blocks.{i}.main.depth_conv.norm"),
    "MBConv project":     ("stages.{g}.blocks.{i}.main.point_conv.conv", "stages.{g}.blocks.{i}.main.point_conv.norm"),
    "FewerNorm expand":    ("stages.{g}.blocks.{i}.main.inverted_conv.conv",),
    "FewerNorm depthwise": ("stages.{g}.blocks.{i}.main.depth_conv.conv",),
    "FewerNorm project":   ("stages.{g}.blocks.{i}.main.point_conv.conv", "stages.{g}.blocks.{i}.main.point_conv.norm"),
    "EfficientViT attention.qkv":           ("stages.{g}.blocks.{i}.context_module.main.qkv.conv",),
    "EfficientViT attention.aggregate.{n}": ("stages.{g}.blocks.{i}.context_module.main.aggreg.0.{n}",),
    "EfficientViT attention.project":       ("stages.{g}.blocks.{i}.context_module.main.proj.conv",
                                             "stages.{g}.blocks.{i}.context_module.main.proj.norm"),
    "EfficientViT local.expand":            ("stages.{g}.blocks.{i}.local_module.main.inverted_conv.conv",),
    "EfficientViT local.depthwise":         ("stages.{g}.blocks.{i}.local_module.main.depth_conv.conv",),
    "EfficientViT local.project":           ("stages.{g}.blocks.{i}.local_module.main.point_conv.conv",
                                             "stages.{g}.blocks.{i}.local_module.main.point_conv.norm"),
    "head.conv":          ("head.in_conv.conv", "head.in_conv.norm"),
    "head.linear.0":      ("head.classifier.0",),
    "head.linear.1":      ("head.classifier.1",),
    "head.classifier":    ("head.classifier.4",),
}
# fmt: on

KEYS = (Keys(uses(EfficientViT), {"timm": TIMM}),)
