"""Names of MobileOne (Vasu 2023) in timm; torchvision has none. Source: timm models/byobnet.py, MobileOneBlock."""

from __future__ import annotations

from ...arch.mobileone import MobileOne
from .table import Keys, Table, uses

BLOCKS = (2, 8, 10, 1)  # of each row, in every MobileOne


def _branches(ours: str, theirs: str) -> Table:
    return {
        f"{ours}.branches.{{n}}": (f"{theirs}.conv_kxk.{{n}}.conv", f"{theirs}.conv_kxk.{{n}}.bn"),
        f"{ours}.scale": (f"{theirs}.conv_scale.conv", f"{theirs}.conv_scale.bn"),
        f"{ours}.skip": (f"{theirs}.identity",),
    }


def _rows() -> Table:
    """timm counts the halves of a block: its places are twice ours."""
    found: Table = {}
    for s, blocks in enumerate(BLOCKS):
        for b in range(blocks):
            found |= _branches(f"stages.{s}.{b}.depthwise", f"stages.{s}.{2 * b}")
            found |= _branches(f"stages.{s}.{b}.project", f"stages.{s}.{2 * b + 1}")
    return found


TIMM: Table = {
    **_branches("stem.0.0", "stem"),
    **_rows(),
    "head.classifier": ("head.fc",),
}

KEYS = (Keys(uses(MobileOne), {"timm": TIMM}),)
