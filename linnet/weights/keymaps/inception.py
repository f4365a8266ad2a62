"""Names of GoogLeNet (Szegedy 2015) in torchvision, and of Inception V3 (Szegedy 2016) in timm and torchvision.

Sources: torchvision models/googlenet.py and inception.py, timm models/inception_v3.py. The last two agree. Their files
also hold auxiliary classifiers, which only training uses.
"""

from __future__ import annotations

from ...arch.inception import Inception, InceptionV3, filters
from ...arch.spec import Arch, Layer
from .table import Keys, Table, uses

# fmt: off
# Modules have a letter: {i97:c} is the character 97 + i, an "a" for the first of a group, {i98:c} a "b".
GOOGLENET: Table = {
    "stem.0.0":        ("conv1.conv", "conv1.bn"),
    "stem.2.0":        ("conv2.conv", "conv2.bn"),
    "stem.3.0":        ("conv3.conv", "conv3.bn"),
    "Inception 0.0":   ("inception{g3}{i97:c}.branch1.conv", "inception{g3}{i97:c}.branch1.bn"),
    "Inception 1.{n}": ("inception{g3}{i97:c}.branch2.{n}.conv", "inception{g3}{i97:c}.branch2.{n}.bn"),
    "Inception 2.{n}": ("inception{g3}{i97:c}.branch3.{n}.conv", "inception{g3}{i97:c}.branch3.{n}.bn"),
    "Inception 3.1":   ("inception{g3}{i97:c}.branch4.1.conv", "inception{g3}{i97:c}.branch4.1.bn"),
    "head.classifier": ("fc",),
}
V3: Table = {
    "stem.0.0":        ("Conv2d_1a_3x3.conv", "Conv2d_1a_3x3.bn"),
    "stem.1.0":        ("Conv2d_2a_3x3.conv", "Conv2d_2a_3x3.bn"),
    "stem.2.0":        ("Conv2d_2b_3x3.conv", "Conv2d_2b_3x3.bn"),
    "stem.4.0":        ("Conv2d_3b_1x1.conv", "Conv2d_3b_1x1.bn"),
    "stem.5.0":        ("Conv2d_4a_3x3.conv", "Conv2d_4a_3x3.bn"),
    # Mixed_5b to 5d
    "5x5 0.0":         ("Mixed_5{i98:c}.branch1x1.conv", "Mixed_5{i98:c}.branch1x1.bn"),
    "5x5 1.{n}":       ("Mixed_5{i98:c}.branch5x5_{n1}.conv", "Mixed_5{i98:c}.branch5x5_{n1}.bn"),
    "5x5 2.{n}":       ("Mixed_5{i98:c}.branch3x3dbl_{n1}.conv", "Mixed_5{i98:c}.branch3x3dbl_{n1}.bn"),
    "5x5 3.1":         ("Mixed_5{i98:c}.branch_pool.conv", "Mixed_5{i98:c}.branch_pool.bn"),
    # Mixed_6a
    "to17 0.0":        ("Mixed_{g5}{i97:c}.branch3x3.conv", "Mixed_{g5}{i97:c}.branch3x3.bn"),
    "to17 1.{n}":      ("Mixed_{g5}{i97:c}.branch3x3dbl_{n1}.conv", "Mixed_{g5}{i97:c}.branch3x3dbl_{n1}.bn"),
    # Mixed_6b to 6e
    "7x7 0.0":         ("Mixed_{g5}{i97:c}.branch1x1.conv", "Mixed_{g5}{i97:c}.branch1x1.bn"),
    "7x7 1.{n}":       ("Mixed_{g5}{i97:c}.branch7x7_{n1}.conv", "Mixed_{g5}{i97:c}.branch7x7_{n1}.bn"),
    "7x7 2.{n}":       ("Mixed_{g5}{i97:c}.branch7x7dbl_{n1}.conv", "Mixed_{g5}{i97:c}.branch7x7dbl_{n1}.bn"),
    "7x7 3.1":         ("Mixed_{g5}{i97:c}.branch_pool.conv", "Mixed_{g5}{i97:c}.branch_pool.bn"),
    # Mixed_7a
    "to8 0.{n}":       ("Mixed_{g5}{i97:c}.branch3x3_{n1}.conv", "Mixed_{g5}{i97:c}.branch3x3_{n1}.bn"),
    "to8 1.{n}":       ("Mixed_{g5}{i97:c}.branch7x7x3_{n1}.conv", "Mixed_{g5}{i97:c}.branch7x7x3_{n1}.bn"),
    # Mixed_7b and 7c
    "fork 0.0":        ("Mixed_{g5}{i97:c}.branch1x1.conv", "Mixed_{g5}{i97:c}.branch1x1.bn"),
    "fork 1.0":        ("Mixed_{g5}{i97:c}.branch3x3_1.conv", "Mixed_{g5}{i97:c}.branch3x3_1.bn"),
    "fork 1.1.{n}":    ("Mixed_{g5}{i97:c}.branch3x3_2{n97:c}.conv", "Mixed_{g5}{i97:c}.branch3x3_2{n97:c}.bn"),
    "fork 2.{n}":      ("Mixed_{g5}{i97:c}.branch3x3dbl_{n1}.conv", "Mixed_{g5}{i97:c}.branch3x3dbl_{n1}.bn"),
    "fork 2.2.{n}":    ("Mixed_{g5}{i97:c}.branch3x3dbl_3{n97:c}.conv", "Mixed_{g5}{i97:c}.branch3x3dbl_3{n97:c}.bn"),
    "fork 3.1":        ("Mixed_{g5}{i97:c}.branch_pool.conv", "Mixed_{g5}{i97:c}.branch_pool.bn"),
    "head.classifier": ("fc",),
}
# fmt: on


def _torchvisions(arch: Arch) -> bool:
    """The paper's own table, without norms, is in neither library."""
    return uses(Inception)(arch) and arch.style.norm == "batch"


def _kind(layer: Layer) -> str:
    """The word in the table above, by how many steps each branch has."""
    if not isinstance(layer.op, InceptionV3):
        return type(layer.op).__name__
    match tuple(len(branch) for branch in layer.op.branches):
        case (1, 3, 1):
            return "to17"
        case (2, 4, 1):
            return "to8"
        case (1, 3, 5, 2):
            return "7x7"
    return "fork" if len(filters(layer.op.branches[1][-1])) > 1 else "5x5"


KEYS: tuple[Keys, ...] = (
    # The modules of each size and the pool behind them are a group: 3a, 3b, pool, 4a, ...
    Keys(_torchvisions, {"torchvision": GOOGLENET}, groups={11: (3, 6, 2)}, dropped=r"aux[12]\..*"),
    Keys(uses(InceptionV3), {"timm": V3, "torchvision": V3}, _kind, dropped=r"AuxLogits\..*"),
)
