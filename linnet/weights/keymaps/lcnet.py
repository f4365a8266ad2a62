"""Names of PP-LCNet (Cui 2021) in timm, whose model is MobileNetV3's class with other blocks.

Source: timm models/mobilenetv3.py, _gen_lcnet.
"""

from __future__ import annotations

from ...arch.lcnet import DepthSepConv
from .table import Keys, Table, uses

# fmt: off
TIMM: Table = {
    "stem.0.0":                 ("conv_stem", "bn1"),
    "DepthSepConv depthwise":   ("blocks.{g}.{i}.conv_dw", "blocks.{g}.{i}.bn1"),
    "DepthSepConv gate.reduce": ("blocks.{g}.{i}.se.conv_reduce",),
    "DepthSepConv gate.expand": ("blocks.{g}.{i}.se.conv_expand",),
    "DepthSepConv project":     ("blocks.{g}.{i}.conv_pw", "blocks.{g}.{i}.bn2"),
    "head.linear.0":            ("conv_head (1x1)",),
    "head.classifier":          ("classifier",),
}
# fmt: on

# timm puts the first of the five layers with k = 5 in the group of the layer before it.
GROUPS = {13: (1, 2, 2, 2, 4, 2)}

KEYS = (Keys(uses(DepthSepConv), {"timm": TIMM}, groups=GROUPS),)
