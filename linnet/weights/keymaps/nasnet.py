"""Names of NASNet-A (Zoph 2018) in timm, which are those of Cadene's pretrainedmodels, for the mobile one too.

Sources: timm models/nasnet.py; Cadene/pretrained-models.pytorch nasnet_mobile.py.
"""

from __future__ import annotations

from ...arch.nasnet import Cells
from .table import Keys, Table, uses


def _cell(ours: str, theirs: str) -> Table:
    """The lines of one kind of cell; {p} is a pair of operations."""
    table: Table = {
        f"Cells {ours}.last": (f"{theirs}.conv_1x1.conv", f"{theirs}.conv_1x1.bn"),
        f"Cells {ours}.before": (f"{theirs}.conv_prev_1x1.conv", f"{theirs}.conv_prev_1x1.bn"),
        f"Cells {ours}.before.even": (f"{theirs}.path_1.conv",),
        f"Cells {ours}.before.odd": (f"{theirs}.path_2.conv",),
        f"Cells {ours}.before.both": (f"{theirs}.final_path_bn",),
    }
    for side in ("left", "right"):
        pair = f"{theirs}.comb_iter_{{p}}_{side}"
        for n in (1, 2):
            part = f"Cells {ours}.{side}.{{p}}"
            table[f"{part}.depthwise{n}"] = (f"{pair}.separable_{n}.depthwise_conv2d",)
            table[f"{part}.pointwise{n}"] = (f"{pair}.separable_{n}.pointwise_conv2d", f"{pair}.bn_sep_{n}")
    return table


TIMM: Table = {
    "stem.0.0": ("conv0.conv", "conv0.bn"),
    **_cell("stem_{c}", "cell_stem_{c}"),
    **_cell("normal_0_{c}", "cell_{c}"),
    **_cell("normal_1_{c}", "cell_{c6}"),  # numbered as in the large one, which has six cells between reductions
    **_cell("normal_2_{c}", "cell_{c12}"),
    **_cell("reduce_{c}", "reduction_cell_{c}"),
    "head.classifier": ("last_linear",),
}

KEYS = (Keys(uses(Cells), {"timm": TIMM}),)
