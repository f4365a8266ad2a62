"""MnasNet (Tan 2019): A1, B1 and small, in MobileNet's operators."""

from __future__ import annotations

from .mobilenet import MBConv, SepConv
from .scale import Scaling
from .spec import Arch, Classifier, Conv, Dropout, Pool, Stage, Style

_style, _scaling, _head = Style(act="relu"), Scaling(head="fixed"), (Conv(1280, k=1), Pool(), Dropout(), Classifier())

# fmt: off
semnasnet_100 = Arch("semnasnet_100", image=224, style=_style, scaling=_scaling, head=_head,   # MnasNet-A1, Figure 7
    source="arXiv 1807.11626, Figure 7",
    stem=(Stage(Conv(k=3),                   32, 1, 2),),
    stages=(  # operator                      c  n  s
        Stage(SepConv(k=3, linear=True),     16, 1, 1),
        Stage(MBConv(t=6, k=3),              24, 2, 2),
        Stage(MBConv(t=3, k=5, se=.25),      40, 3, 2),
        Stage(MBConv(t=6, k=3),              80, 4, 2),
        Stage(MBConv(t=6, k=3, se=.25),     112, 2, 1),
        Stage(MBConv(t=6, k=5, se=.25),     160, 3, 2),
        Stage(MBConv(t=6, k=3),             320, 1, 1)))

mnasnet_100 = Arch("mnasnet_100", image=224, style=_style, scaling=_scaling, head=_head,       # MnasNet-B1
    source="tensorflow/tpu mnasnet_models.py, mnasnet_b1",
    stem=(Stage(Conv(k=3),                   32, 1, 2),),
    stages=(  # operator                      c  n  s
        Stage(SepConv(k=3, linear=True),     16, 1, 1),
        Stage(MBConv(t=3, k=3),              24, 3, 2),
        Stage(MBConv(t=3, k=5),              40, 3, 2),
        Stage(MBConv(t=6, k=5),              80, 3, 2),
        Stage(MBConv(t=6, k=3),              96, 2, 1),
        Stage(MBConv(t=6, k=5),             192, 4, 2),
        Stage(MBConv(t=6, k=3),             320, 1, 1)))

mnasnet_small = Arch("mnasnet_small", image=224, style=_style, scaling=_scaling, head=_head,   # 22 ms search, Table 5
    source="tensorflow/tpu mnasnet_models.py, mnasnet_small",
    stem=(Stage(Conv(k=3),                    8, 1, 2),),
    stages=(  # operator                      c  n  s
        Stage(SepConv(k=3, linear=True),      8, 1, 1),
        Stage(MBConv(t=3, k=3),              16, 1, 2),
        Stage(MBConv(t=6, k=3),              16, 2, 2),
        Stage(MBConv(t=6, k=5, se=.25),      32, 4, 2),
        Stage(MBConv(t=6, k=3, se=.25),      32, 3, 1),
        Stage(MBConv(t=6, k=5, se=.25),      88, 3, 2),
        Stage(MBConv(t=6, k=3),             144, 1, 1)))
# fmt: on

ARCHS = (
    semnasnet_100,
    mnasnet_100,
    mnasnet_small,
    *(semnasnet_100.scaled(f"semnasnet_{w:03d}", width=w / 100) for w in (35, 50, 75, 140)),
    *(mnasnet_100.scaled(f"mnasnet_{w:03d}", width=w / 100) for w in (50, 75, 130, 140)),
)
