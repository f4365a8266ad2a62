"""Names of ShuffleNet V2 (Ma 2018) in torchvision. V1 has no counterpart in timm or torchvision.

Source: torchvision models/shufflenetv2.py.
"""

from __future__ import annotations

from ...arch.shufflenet import ShuffleV2
from .table import Keys, Table, uses

# fmt: off
TORCHVISION: Table = {
    "stem.0.0":                     ("conv1.0", "conv1.1"),
    "ShuffleV2 shortcut.depthwise": ("stage{s2}.{b}.branch1.0", "stage{s2}.{b}.branch1.1"),
    "ShuffleV2 shortcut.project":   ("stage{s2}.{b}.branch1.2", "stage{s2}.{b}.branch1.3"),
    "ShuffleV2 pointwise":          ("stage{s2}.{b}.branch2.0", "stage{s2}.{b}.branch2.1"),
    "ShuffleV2 depthwise":          ("stage{s2}.{b}.branch2.3", "stage{s2}.{b}.branch2.4"),
    "ShuffleV2 project":            ("stage{s2}.{b}.branch2.5", "stage{s2}.{b}.branch2.6"),
    "head.conv":                    ("conv5.0", "conv5.1"),
    "head.classifier":              ("fc",),
}
# fmt: on

KEYS = (Keys(uses(ShuffleV2), {"torchvision": TORCHVISION}),)
