"""VGG-16 (Simonyan 2015) and AlexNet (Krizhevsky 2014): shared operators only, a flattened map, a head of many rows."""

from __future__ import annotations

from linnet.arch.spec import Arch, Classifier, Conv, Dropout, Linear, MaxPool, Pool, Stage, Style

_style = Style(act="relu", norm="none")

# fmt: off
vgg16 = Arch("vgg16", image=224, style=_style, source="arXiv 1409.1556, Table 1, column D",    # Simonyan 2015, Table 1
    stem=(Stage(Conv(k=3),            64, 2, 1),),
    stages=(  # operator        channels layers stride
        Stage(MaxPool(k=2, pad=0),     0, 1, 2),  Stage(Conv(k=3), 128, 2, 1),
        Stage(MaxPool(k=2, pad=0),     0, 1, 2),  Stage(Conv(k=3), 256, 3, 1),
        Stage(MaxPool(k=2, pad=0),     0, 1, 2),  Stage(Conv(k=3), 512, 3, 1),
        Stage(MaxPool(k=2, pad=0),     0, 1, 2),  Stage(Conv(k=3), 512, 3, 1),
        Stage(MaxPool(k=2, pad=0),     0, 1, 2)),
    head=(Pool("flatten"), Linear(4096), Dropout(), Linear(4096), Dropout(), Classifier()))

alexnet = Arch("alexnet", image=224, style=_style,                               # Krizhevsky 2014, the one-tower network
    source="arXiv 1404.5997; torchvision alexnet.py",
    stem=(Stage(Conv(k=11, pad=2),    64, 1, 4),
          Stage(MaxPool(k=3, pad=0),   0, 1, 2)),
    stages=(  # operator        channels layers stride
        Stage(Conv(k=5),             192, 1, 1),
        Stage(MaxPool(k=3, pad=0),     0, 1, 2),
        Stage(Conv(k=3),             384, 1, 1),
        Stage(Conv(k=3),             256, 2, 1),
        Stage(MaxPool(k=3, pad=0),     0, 1, 2)),
    head=(Pool("flatten"), Dropout(), Linear(4096), Dropout(), Linear(4096), Classifier()))
# fmt: on
