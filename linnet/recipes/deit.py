"""DeiT Ti, S and B: vision transformers on ImageNet-1k alone, by augmentation.

Paper: Touvron et al. 2021 (arXiv 2012.12877), Table 9; facebookresearch/deit main.py and README.
Command: linnet train PHOTOS --recipe deit_small
Hardware, time: not in our sources.
Expected: Ti 72.2, S 79.9, B 81.8 %. Not reproduced here.

As published: AdamW 5e-4 per 512 photos, batch 1024, 300 epochs, warm-up 5 from 1e-6, cosine to 1e-5, weight decay 0.05, label
smoothing 0.1, drop path 0.1, no dropout, RandAugment 9, mixup 0.8, cutmix 1.0, erasing 0.25, repeated augmentation 3, average
0.99996. Colour jitter 0.3 stands in the table, but timm's transform leaves it out where there is RandAugment. The
cool-down of 10 epochs is not in here: the released loop ends after the 300.
The distilled ones (74.5, 81.2, 83.4 %) need a teacher: --arch deit_small_distilled_patch16_224 --set teacher=RUN
--set teacher_hard=true; theirs was a RegNetY-16GF, a network that Linnet does not have.
"""

from __future__ import annotations

from ..training.ingredients import AdamW, Cosine
from ..training.recipe import Phase, Recipe
from .published import Published


def authors(arch: str) -> Recipe:
    return Recipe(
        arch=arch,
        phases=(
            Phase(epochs=300, image=224, batch=1024, randaugment=9, mixup=0.8, cutmix=1.0, erasing=0.25, drop_path=0.1),
        ),
        optimizer=AdamW(lr=1e-3, weight_decay=0.05),
        schedule=Cosine(warmup=5.0, start=1e-6 / 1e-3, final=1e-5 / 1e-3),
        repeats=3,
        ema=0.99996,
        label_smoothing=0.1,
    )


recipes = {
    f"deit_{size}": Published(authors(f"deit_{size}_patch16_224"), "Touvron et al. 2021, Table 9 and README", top1)
    for size, top1 in {"tiny": 72.2, "small": 79.9, "base": 81.8}.items()
}
