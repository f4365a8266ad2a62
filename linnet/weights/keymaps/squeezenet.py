"""Names of SqueezeNet in torchvision (models/squeezenet.py); timm has none."""

from __future__ import annotations

from ...arch.squeezenet import Fire
from .table import Keys, Table, uses

# fmt: off
TORCHVISION: Table = {  # convolution, activation and pool of the stem, then one number for each fire module or pool
    "stem.0.0":            ("features.0",),
    "Fire squeeze":        ("features.{f3}.squeeze",),
    "Fire expand1":        ("features.{f3}.expand1x1",),
    "Fire expand3":        ("features.{f3}.expand3x3",),
    "head.convclassifier": ("classifier.1",),
}
# fmt: on

KEYS = (Keys(uses(Fire), {"torchvision": TORCHVISION}),)
