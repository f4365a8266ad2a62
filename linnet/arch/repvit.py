"""RepViT (Wang 2024): re-parameterised depthwise token mixers, SE in every other block, two averaged classifiers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from .spec import Arch, Classifier, Conv, Dropout, Operator, Pool, Stage, Style


@dataclass(frozen=True)
class RepViT(Operator):
    """Token mixer (depthwise 3 x 3, 1 x 1 and identity side by side), [SE], and a channel mixer that doubles the width.

    `linnet.nn.fold.fold` makes one depthwise 3 x 3 of the token mixer. SE has a quarter of the channels, rounded to 8.
    """

    se: bool = False
    units: ClassVar[int] = 1
    folds: ClassVar[bool] = True


@dataclass(frozen=True)
class RepDown(Operator):
    """Between stages: a block without SE, depthwise 3 x 3 with the stride, 1 x 1, channel mixer."""

    units: ClassVar[int] = 2
    folds: ClassVar[bool] = True


@dataclass(frozen=True)
class NormClassifier(Classifier):
    """A batch norm before each linear layer."""

    folds: ClassVar[bool] = True


_turns = (RepViT(se=True), RepViT())

# fmt: off
repvit_m0_9 = Arch("repvit_m0_9", image=224,                                          # Wang 2024, RepViT-M0.9
    style=Style(act="gelu"), init="torch", source="arXiv 2307.09283; THU-MIG/RepViT model/repvit.py, repvit_m0_9",
    stem=(Stage(Conv(k=3),                  24,  1, 2),
          Stage(Conv(k=3, act="identity"),  48,  1, 2)),
    stages=(  # operator              channels layers stride
        Stage(_turns,                       48,  2, 1),
        Stage(RepDown(),                    96,  1, 2),
        Stage(_turns,                       96,  2, 1),
        Stage(RepDown(),                   192,  1, 2),
        Stage(_turns,                      192, 14, 1),
        Stage(RepDown(),                   384,  1, 2),
        Stage(_turns,                      384,  2, 1)),
    head=(Pool(), Dropout(), NormClassifier(heads=2)),
    taps=("stages.0", "stages.2", "stages.4", "stages.6"))

# channels and blocks of the four stages
_SIZES = {"m1_0": ((56, 112, 224, 448), (2, 2, 14, 2)),
          "m1_1": ((64, 128, 256, 512), (2, 2, 12, 2)),
          "m1_5": ((64, 128, 256, 512), (4, 4, 24, 4))}
# fmt: on


def _sized(name: str, channels: tuple[int, ...], blocks: tuple[int, ...]) -> Arch:
    first, second = repvit_m0_9.stem
    rows = [
        # Blocks stand in the even rows, what leads from stage to stage in the odd ones.
        replace(row, channels=channels[(i + 1) // 2], layers=row.layers if i % 2 else blocks[i // 2])
        for i, row in enumerate(repvit_m0_9.stages)
    ]
    stem = (replace(first, channels=channels[0] // 2), replace(second, channels=channels[0]))
    source = repvit_m0_9.source.replace(repvit_m0_9.name, name)
    return replace(repvit_m0_9, name=name, stem=stem, stages=tuple(rows), source=source)


ARCHS = (repvit_m0_9, *(_sized(f"repvit_{size}", *shape) for size, shape in _SIZES.items()))
