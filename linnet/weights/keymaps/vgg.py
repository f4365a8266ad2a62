"""Names of VGG-16 and of the one-tower AlexNet; no library has the two-tower one or LeNet-5.

Sources: timm models/vgg.py, whose head is two convolutions over a map of 7 x 7; torchvision models/{vgg, alexnet}.py.
"""

from __future__ import annotations

from collections.abc import Callable

from ...arch.spec import Arch, Conv, MaxPool
from ...arch.vgg import GridPool
from .table import Keys, Table

LAYERS_VGG16 = (1, 2, 1, 3, 1, 3, 1, 3, 1)  # of its stages' rows: a pool, then convolutions
LAYERS_ALEXNET = (1, 1, 1, 2, 1)


def _features(modules: int) -> Table:
    """VGG-16's convolutions, which both libraries number alike; each is `modules` long: itself, [norm], activation."""
    table: Table = {}
    n = 0
    for row, layers in {"stem.0": 2, **{f"stages.{s}": LAYERS_VGG16[s] for s in (1, 3, 5, 7)}}.items():
        for b in range(layers):
            table[f"{row}.{b}"] = (f"features.{n}", f"features.{n + 1}")
            n += modules
        n += 1  # the pool
    return table


# fmt: off
TIMM_HEAD: Table = {
    "head.linear1.0":  ("pre_logits.fc1 (7x7)",),
    "head.linear3.0":  ("pre_logits.fc2 (1x1)",),
    "head.classifier": ("head.fc",),
}
TORCHVISION_HEAD: Table = {
    "head.linear1.0":  ("classifier.0",),
    "head.linear3.0":  ("classifier.3",),
    "head.classifier": ("classifier.6",),
}
TORCHVISION_ALEXNET: Table = {
    "stem.0.0":        ("features.0",),
    "stages.0.0":      ("features.3",),
    "stages.2.0":      ("features.6",),
    "stages.3.0":      ("features.8",),
    "stages.3.1":      ("features.10",),
    "head.linear2.0":  ("classifier.1",),
    "head.linear4.0":  ("classifier.4",),
    "head.classifier": ("classifier.6",),
}
# fmt: on


def _plain(layers: tuple[int, ...], norm: str) -> Callable[[Arch], bool]:
    """Whether a network is nothing but convolutions and pools, of so many layers in each row."""
    return lambda arch: (
        arch.style.norm == norm
        and any(isinstance(op, GridPool) for op in arch.head)
        and tuple(stage.layers for stage in arch.stages) == layers
        and all(isinstance(op, Conv | MaxPool) for stage in arch.stages for op in stage.ops)
    )


KEYS = (
    Keys(
        _plain(LAYERS_VGG16, "none"),
        {"timm": _features(2) | TIMM_HEAD, "torchvision": _features(2) | TORCHVISION_HEAD},
    ),
    Keys(
        _plain(LAYERS_VGG16, "batch"),
        {"timm": _features(3) | TIMM_HEAD, "torchvision": _features(3) | TORCHVISION_HEAD},
    ),
    Keys(_plain(LAYERS_ALEXNET, "none"), {"torchvision": TORCHVISION_ALEXNET}),
)
