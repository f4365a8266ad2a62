"""Swin T, S and B on ImageNet-1k.

Paper: Liu et al. 2021 (arXiv 2103.14030), appendix A2; microsoft/Swin-Transformer config.py and README.
Command: linnet train PHOTOS --recipe swin_tiny
Hardware, time: not in our sources.
Expected: T 81.2, S 83.2, B 83.5 %. Not reproduced here.

As published: AdamW 5e-4 per 512 photos, batch 1024, 300 epochs, warm-up 20 from 5e-7, cosine to 5e-6, weight decay 0.05, gradient
norm 5, drop path 0.2, 0.3, 0.5, RandAugment 9, mixup 0.8, cutmix 1.0, erasing 0.25, label smoothing 0.1, no average. Colour
jitter 0.4 stands in the table, but timm's transform leaves it out where there is RandAugment.
"""

from __future__ import annotations

from ..training.ingredients import AdamW, Cosine
from ..training.recipe import Phase, Recipe
from .published import Published


def authors(arch: str, drop_path: float) -> Recipe:
    return Recipe(
        arch=arch,
        phases=(
            Phase(epochs=300, image=224, batch=1024, randaugment=9, mixup=0.8, cutmix=1.0, erasing=0.25, drop_path=drop_path),
        ),
        optimizer=AdamW(lr=1e-3, betas=(0.9, 0.999), weight_decay=0.05),
        schedule=Cosine(warmup=20.0, start=5e-7 / 1e-3, final=5e-6 / 1e-3),
        clip=5.0,
        ema=0.0,
        label_smoothing=0.1,
    )  # fmt: skip


recipes = {
    f"swin_{size}": Published(
        authors(f"swin_{size}_patch4_window7_224", drop_path), "Liu et al. 2021 (Swin), README", top1
    )
    for size, drop_path, top1 in (("tiny", 0.2, 81.2), ("small", 0.3, 83.2), ("base", 0.5, 83.5))
}
