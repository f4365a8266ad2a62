"""ConvNeXt T, S, B and L, and the fine-tuning of B and L to 384 pixels.

Paper: Liu et al. 2022 (arXiv 2201.03545), appendix A; facebookresearch/ConvNeXt main.py and TRAINING.md.
Command: linnet train PHOTOS --recipe convnext_tiny
Hardware, time: not in our sources.
Expected: T 82.1, B 83.8; S 83.1, L 84.3, 384 pixels B 85.1 and L 85.5 are recalled. Not reproduced here.

As published: AdamW 4e-3 at a batch of 4096, weight decay 0.05, 300 epochs, warm-up 20, cosine to 1e-6, RandAugment 9, mixup 0.8,
cutmix 1.0, erasing 0.25, label smoothing 0.1, average 0.9999, drop path 0.1, 0.4, 0.5, 0.5, no clipping. The tables also
list colour jitter 0.4; timm's transform, which the code uses, leaves it out where there is RandAugment, and so does this.
384 pixels: 5e-5 at 512, 30 epochs, weight decay 1e-8, layer decay 0.7 over 13 groups, no mixing, drop path 0.8
(B) and 0.95 (L). The classifier begins at zero here (theirs: 0.001 times its weights); whether an average was used is not in our sources: none.
Differs: optim_factory.py puts the 36 blocks of B and L into 12 groups of three, so that the stem's rate is 0.7 ** 13 of the
classifier's; here each block counts, with 0.7 ** (13 / 37), so that the stem's rate is theirs and others are near theirs.
"""

from __future__ import annotations

from ..training.ingredients import AdamW, Cosine
from ..training.recipe import Phase, Recipe
from .published import Published


def first(size: str, drop_path: float) -> Recipe:
    return Recipe(
        arch=f"convnext_{size}",
        phases=(
            Phase(epochs=300, image=224, batch=4096, randaugment=9, mixup=0.8, cutmix=1.0, erasing=0.25, drop_path=drop_path),
        ),
        optimizer=AdamW(lr=4e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.05),
        schedule=Cosine(warmup=20.0, final=1e-6 / 4e-3),
        ema=0.9999,
        label_smoothing=0.1,
    )  # fmt: skip


def larger(size: str, drop_path: float) -> Recipe:
    return Recipe(
        arch=f"convnext_{size}",
        pretrained=f"convnext_{size}.fb_in1k",
        phases=(Phase(epochs=30, image=384, batch=512, randaugment=9, erasing=0.25, drop_path=drop_path),),
        optimizer=AdamW(lr=5e-5, weight_decay=1e-8),
        schedule=Cosine(final=1e-6 / 5e-5),
        layer_decay=0.7 ** (13 / 37),
        ema=0.0,
        label_smoothing=0.1,
    )


PAPER, RECALLED = "Liu et al. 2022 (ConvNeXt), Table 1", "Liu et al. 2022 (ConvNeXt), Table 1 (recalled)"

recipes = {
    "convnext_tiny": Published(first("tiny", 0.1), PAPER, 82.1),
    "convnext_small": Published(first("small", 0.4), RECALLED, 83.1),
    "convnext_base": Published(first("base", 0.5), PAPER, 83.8),
    "convnext_large": Published(first("large", 0.5), RECALLED, 84.3),
    "convnext_base_384": Published(larger("base", 0.8), RECALLED, 85.1),
    "convnext_large_384": Published(larger("large", 0.95), RECALLED, 85.5),
}
