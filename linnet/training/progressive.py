"""Progressive learning by rule: phases whose image size and regularisation grow together."""

from __future__ import annotations

import itertools
from typing import Any, Literal

from ..errors import SettingError
from .recipe import Phase


def progressive(
    epochs: int,
    *,
    stages: int = 4,
    image: tuple[int, int] = (128, 224),
    multiple: int = 8,
    randaugment: tuple[float, float] = (5, 15),
    mixup: tuple[float, float] = (0, 0),
    cutmix: tuple[float, float] = (0, 0),
    erasing: tuple[float, float] = (0, 0),
    dropout: tuple[float, float] = (0.1, 0.3),
    drop_path: tuple[float, float] = (0.0, 0.0),
    batch: int | tuple[int, ...] = 32,
    constant_pixels: bool = False,
    lr_factor: float = 1.0,
    follow: Literal["paper", "code"] = "paper",
) -> tuple[Phase, ...]:
    """Rows of progressive learning: image size and regularisation grow together, from the first value to the second.

    "paper" is Algorithm 1: stage i of M gets S0 + (Se - S0) * i / (M - 1). "code" is what the authors released: image
    sizes S0 + (Se - S0) * (i + 1) / M, which never use S0, and the last dropout throughout. Sizes between the ends are
    rounded to `multiple` (8: at a network's stride of 32 a map may be cut, but few layers see it; 1: as the paper).
    Epochs are dealt evenly, the first stages get the remainder. `batch` is one for all stages or one for each; with
    `constant_pixels` it is that of the last size, and smaller images come in batches of as many pixels (a multiple of 8).
    Source: Tan & Le 2021, section 4 and Table 6; google/automl efficientnetv2/main.py.

    >>> [phase.image for phase in progressive(350, image=(128, 300), multiple=1)]
    [128, 185, 243, 300]
    >>> [phase.image for phase in progressive(350, image=(128, 300), multiple=1, follow="code")]
    [171, 214, 257, 300]
    >>> [phase.batch for phase in progressive(350, image=(128, 256), batch=64, constant_pixels=True)]
    [256, 144, 88, 64]
    """
    if follow not in ("paper", "code"):
        raise SettingError(f"progressive: follow is {follow!r}; allowed: 'paper', 'code'.")
    if not 1 <= stages <= epochs:
        raise SettingError(f"progressive: {stages} stages do not fit {epochs} epochs; give 1 to {epochs} stages.")
    if multiple < 1:
        raise SettingError(f"progressive: multiple is {multiple}; give 1 or more.")
    batches = (batch,) * stages if isinstance(batch, int) else tuple(batch)
    if len(batches) != stages:
        raise SettingError(f"progressive: {len(batches)} batch sizes for {stages} stages; give one, or {stages}.")

    if constant_pixels and not isinstance(batch, int):
        raise SettingError(f"progressive: constant_pixels makes the batches; give batch as one number, not {batch}.")

    def between(ends: tuple[float, float], i: int) -> float:
        return ends[1] if stages == 1 else ends[0] + (ends[1] - ends[0]) * i / (stages - 1)

    def side(i: int) -> int:
        if follow == "code":  # truncated, as int() does there
            exact = float(int(image[0] + (image[1] - image[0]) * (i + 1) / stages))
        else:
            exact = between(image, i)
        ends = i == stages - 1 or (i == 0 and follow == "paper")
        return round(exact) if ends else max(multiple, int(exact / multiple + 0.5) * multiple)

    return tuple(
        Phase(
            epochs=epochs // stages + (i < epochs % stages),
            image=side(i),
            batch=same_pixels(batches[i], image[1], side(i)) if constant_pixels else batches[i],
            randaugment=between(randaugment, i),
            mixup=between(mixup, i),
            cutmix=between(cutmix, i),
            erasing=between(erasing, i),
            dropout=between(dropout, i) if follow == "paper" else dropout[1],
            drop_path=between(drop_path, i),
            lr_factor=lr_factor,
        )
        for i in range(stages)
    )


def same_pixels(batch: int, image: int, smaller: int) -> int:
    """The batch at `smaller` pixels a side with the pixels of `batch` images of `image`: a multiple of 8, rounded down,
    which processes and matrix units can share; `batch` itself at `image`."""
    return batch if smaller == image else max(batch, batch * image**2 // smaller**2 // 8 * 8)


def ramp(
    epochs: int,
    *,
    image: tuple[int, int] = (160, 192),
    start: int,
    end: int,
    multiple: int = 32,
    batch: int = 32,
    **rest: Any,
) -> tuple[Phase, ...]:
    """Rows whose image grows in steps of `multiple`: the first size up to epoch `start` (from 0), the last from `end`.

    Between them it is the line from one to the other, rounded. `rest` are settings of every row, such as mixup.
    Source: libffcv/ffcv-imagenet train_imagenet.py, get_resolution; rn50_configs/rn50_88_epochs.yaml (start 65, end 76).

    >>> [(phase.epochs, phase.image) for phase in ramp(16, image=(128, 224), start=4, end=12)]
    [(6, 128), (2, 160), (3, 192), (5, 224)]
    """
    if not 0 <= start <= end < epochs:
        raise SettingError(f"ramp: start {start} and end {end} of {epochs} epochs; give 0 <= start <= end < epochs.")

    def side(epoch: int) -> int:
        if epoch <= start or epoch >= end:
            return image[epoch > start]
        exact = image[0] + (image[1] - image[0]) * (epoch - start) / (end - start)
        return round(exact / multiple) * multiple

    sides = [side(epoch) for epoch in range(epochs)]
    return tuple(
        Phase(epochs=len(list(same)), image=size, batch=batch, **rest) for size, same in itertools.groupby(sides)
    )


def efficientnetv2_rows(
    size: Literal["s", "m", "l"], follow: Literal["paper", "code"] = "paper", *, epochs: int = 350, batch: int = 4096
) -> tuple[Phase, ...]:
    """The rows of EfficientNetV2 S, M or L: the paper's Table 6, or what the released code trained with.

    They differ in every column: the code never uses the smallest size, stops at another largest one and lower
    magnitudes, mixes halves of a batch with cutmix of mixup's alpha, and keeps dropout fixed. drop_path 0.2 in both.
    Source: Tan & Le 2021, Table 6; google/automl efficientnetv2/effnetv2_configs.py and main.py.
    """
    if (size, follow) not in V2:
        raise SettingError(f"efficientnetv2_rows: {size!r}, {follow!r}; give 's', 'm' or 'l', and 'paper' or 'code'.")
    image, magnitude, alpha, dropout = V2[size, follow]
    return progressive(
        epochs,
        image=(128, image),
        multiple=1,
        randaugment=(5, magnitude),
        mixup=(0, alpha),
        cutmix=(0, alpha if follow == "code" else 0),
        dropout=(0.1, dropout),
        drop_path=(0.2, 0.2),
        batch=batch,
        follow=follow,
    )


# Largest image, RandAugment magnitude, alpha of mixup, dropout; the smallest are 128, 5, 0 and 0.1 for all.
V2: dict[tuple[str, str], tuple[int, float, float, float]] = {
    ("s", "paper"): (300, 15, 0.0, 0.3),
    ("m", "paper"): (380, 20, 0.2, 0.4),
    ("l", "paper"): (380, 25, 0.5, 0.5),  # the first arXiv version said mixup 0.4
    ("s", "code"): (300, 10, 0.0, 0.2),
    ("m", "code"): (384, 15, 0.2, 0.3),
    ("l", "code"): (384, 20, 0.5, 0.4),
}
