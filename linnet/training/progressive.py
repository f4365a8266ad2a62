"""Progressive learning by rule: phases whose image size and regularisation grow together."""

from __future__ import annotations

from typing import Literal

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
    lr_factor: float = 1.0,
    follow: Literal["paper", "code"] = "paper",
) -> tuple[Phase, ...]:
    """Rows of progressive learning: image size and regularisation grow together, from the first value to the second.

    "paper" is Algorithm 1: stage i of M gets S0 + (Se - S0) * i / (M - 1). "code" is what the authors released: image
    sizes S0 + (Se - S0) * (i + 1) / M, which never use S0, and the last dropout throughout. Sizes between the ends are
    rounded to `multiple` (8: at a network's stride of 32 a map may be cut, but few layers see it; 1: as the paper).
    Epochs are dealt evenly, the first stages get the remainder. `batch` is one for all stages or one for each.
    Source: Tan & Le 2021, section 4 and Table 6; google/automl efficientnetv2/main.py.

    >>> [phase.image for phase in progressive(350, image=(128, 300), multiple=1)]
    [128, 185, 243, 300]
    >>> [phase.image for phase in progressive(350, image=(128, 300), multiple=1, follow="code")]
    [171, 214, 257, 300]
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
            batch=batches[i],
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
