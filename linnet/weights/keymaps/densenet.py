"""Names of DenseNet (Huang 2017) in timm and torchvision, which are the same.

Sources: timm models/densenet.py, torchvision models/densenet.py. torchvision's files are older than its code and write
`norm.1` and `conv.1` where it reads `norm1` and `conv1`.
"""

from __future__ import annotations

from ...arch.densenet import Dense
from .table import Keys, Table, uses

# fmt: off
NAMES: Table = {  # a group is a dense block, and the transition that begins the next one
    "stem.0.0":           ("features.conv0", "features.norm0"),
    "Dense norm":         ("features.denseblock{g1}.denselayer{b1}.norm1",),
    "Dense squeeze":      ("features.denseblock{g1}.denselayer{b1}.conv1", "features.denseblock{g1}.denselayer{b1}.norm2"),
    "Dense grow":         ("features.denseblock{g1}.denselayer{b1}.conv2",),
    "Transition norm":    ("features.transition{g}.norm",),
    "Transition squeeze": ("features.transition{g}.conv",),
    "head.norm.0":        ("features.norm5",),
    "head.classifier":    ("classifier",),
}
# fmt: on

KEYS: tuple[Keys, ...] = (
    Keys(uses(Dense), {"timm": NAMES, "torchvision": NAMES}, renamed={r"\.(norm|conv)\.([12])\.": r".\1\2."}),
)
