"""PP-LCNet (Cui 2021)."""

from __future__ import annotations

from dataclasses import dataclass

from .spec import Arch, Classifier, Conv, Dropout, Linear, Operator, Pool, Stage, Style


@dataclass(frozen=True)
class DepthSepConv(Operator):
    """Depthwise k x k, [gate], pointwise 1 x 1, as MobileNetV1 without a residual; the gate has a quarter of the input."""

    k: int = 3
    se: bool = False


# fmt: off
lcnet_100 = Arch("lcnet_100", image=224,                                                         # Cui 2021, Table 1
    style=Style(act="hswish"), source="arXiv 2109.15099, Table 1",
    stem=(Stage(Conv(k=3),                  16, 1, 2),),
    stages=(  # operator              channels layers stride
        Stage(DepthSepConv(k=3),            32, 1, 1),
        Stage(DepthSepConv(k=3),            64, 2, 2),
        Stage(DepthSepConv(k=3),           128, 2, 2),
        Stage(DepthSepConv(k=3),           256, 1, 2),
        Stage(DepthSepConv(k=5),           256, 5, 1),
        Stage(DepthSepConv(k=5, se=True),  512, 2, 2)),
    head=(Pool(), Linear(1280), Dropout(), Classifier()))   # the paper's 1 x 1 convolution after pooling
# fmt: on

_WIDTHS = {"035": "0_35", "050": "0_5", "075": "0_75", "100": "1_0", "150": "1_5"}  # PaddleClas writes PPLCNet_x0_35

ARCHS = (lcnet_100, *(lcnet_100.scaled(f"lcnet_{w}", width=int(w) / 100) for w in _WIDTHS if w != "100"))

ALIASES: dict[str, str] = {
    "lcnet": "lcnet_100",
    "pp_lcnet": "lcnet_100",
    "pplcnet": "lcnet_100",
    "pp_lcnet_1x": "lcnet_100",
    **{f"pplcnet_x{said}": f"lcnet_{w}" for w, said in _WIDTHS.items()},
    **{f"pp_lcnet_{said}x": f"lcnet_{w}" for w, said in _WIDTHS.items()},
}
