"""Names of GhostNet (Han 2020) in timm, which are those of the released code.

Source: timm models/ghostnet.py.
"""

from __future__ import annotations

from ...arch.ghostnet import GBneck
from .table import Keys, Table, uses

# fmt: off
TIMM: Table = {
    "stem.0.0":                  ("conv_stem", "bn1"),
    "GBneck expand.primary":     ("blocks.{g}.{i}.ghost1.primary_conv.0", "blocks.{g}.{i}.ghost1.primary_conv.1"),
    "GBneck expand.cheap":       ("blocks.{g}.{i}.ghost1.cheap_operation.0", "blocks.{g}.{i}.ghost1.cheap_operation.1"),
    "GBneck depthwise":          ("blocks.{g}.{i}.conv_dw", "blocks.{g}.{i}.bn_dw"),
    "GBneck gate.reduce":        ("blocks.{g}.{i}.se.conv_reduce",),
    "GBneck gate.expand":        ("blocks.{g}.{i}.se.conv_expand",),
    "GBneck project.primary":    ("blocks.{g}.{i}.ghost2.primary_conv.0", "blocks.{g}.{i}.ghost2.primary_conv.1"),
    "GBneck project.cheap":      ("blocks.{g}.{i}.ghost2.cheap_operation.0", "blocks.{g}.{i}.ghost2.cheap_operation.1"),
    "GBneck shortcut.depthwise": ("blocks.{g}.{i}.shortcut.0", "blocks.{g}.{i}.shortcut.1"),
    "GBneck shortcut.project":   ("blocks.{g}.{i}.shortcut.2", "blocks.{g}.{i}.shortcut.3"),
    "head.conv":                 ("blocks.{groups}.0.conv", "blocks.{groups}.0.bn1"),
    "head.linear.0":             ("conv_head (1x1)",),
    "head.classifier":           ("classifier",),
}
# fmt: on

# The released code puts a layer with a stride in a group of its own.
GROUPS = {16: (1, 1, 1, 1, 1, 1, 5, 1, 4)}

KEYS = (Keys(uses(GBneck), {"timm": TIMM}, groups=GROUPS),)
