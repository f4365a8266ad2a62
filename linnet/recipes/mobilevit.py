"""MobileViT XXS, XS and S with the multi-scale sampler, and MobileViTv2.

Papers: Mehta & Rastegari 2022 (arXiv 2110.02178), section 4.1; 2023 (arXiv 2206.02680); apple/ml-cvnets configs.
Command: linnet train PHOTOS --recipe mobilevit_s
Hardware: 8 GPUs. Time: not said.
Expected: paper S 78.4, XS 74.8 %; cvnets' weights 78.3, 74.7, XXS 69.0; v2 0.5 to 2.0: 70.18, 75.56, 78.09, 79.65, 80.38,
80.84, 81.17 %. Not reproduced here.

As published (v1): 300 epochs, batch 1024 at 256 pixels, AdamW, 2e-4 to 2e-3 in 3,000 steps (the released configuration: 20,000),
cosine to 2e-4, weight decay 0.01 on norms and biases too, label smoothing 0.1, crops and flips only, sizes 160 to 320,
dropout 0.1, average with 5e-4, evaluation on the middle 256 of 288, bilinear. Pictures go in as they are (0 to 1), which is that of
timm's copies of the weights. The number of steps in an epoch follows the sizes drawn; warm-up in epochs is that at 256.
Differs: dropout within the transformer layers is not there, only before the classifier.

As published (v2): AdamW 1e-6 to 2e-3 in 20,000 steps, cosine to 2e-4, weight decay 0.05, RandAugment, erasing 0.25, mixup
0.2, cutmix 1.0, fixed 256, bicubic. RandAugment's magnitude is not in our sources: 9 is taken.
"""

from __future__ import annotations

from ..training.ingredients import AdamW, Cosine
from ..training.recipe import Phase, Recipe
from .published import Published, in_epochs

PLAIN = {"mean": [0.0] * 3, "std": [1.0] * 3}
SIZES = (160, 192, 256, 288, 320)


def first(arch: str) -> Recipe:
    return Recipe(
        arch=arch,
        phases=(Phase(epochs=300, image=256, sizes=SIZES, batch=1024, dropout=0.1),),
        optimizer=AdamW(lr=2e-3, weight_decay=0.01, decayed="all"),
        schedule=Cosine(warmup=in_epochs(3000, 1024), start=0.1, final=0.1),
        ema=1 - 5e-4,
        label_smoothing=0.1,
        eval_image=256,
        preprocess={"image": 256, "crop": 256 / 288, "interpolation": "bilinear", **PLAIN},
    )


def second(arch: str) -> Recipe:
    return Recipe(
        arch=arch,
        phases=(Phase(epochs=300, image=256, batch=1024, randaugment=9, mixup=0.2, cutmix=1.0, erasing=0.25),),
        optimizer=AdamW(lr=2e-3, weight_decay=0.05),
        schedule=Cosine(warmup=in_epochs(20_000, 1024), start=1e-6 / 2e-3, final=0.1),
        ema=1 - 5e-4,
        label_smoothing=0.1,
        preprocess={"image": 256, "crop": 256 / 288, "interpolation": "bicubic", **PLAIN},
    )


PAPER, ZOO = "Mehta & Rastegari 2022", "apple/ml-cvnets model zoo"
V1 = (("s", PAPER, 78.4), ("xs", PAPER, 74.8), ("xxs", ZOO, 69.0))
V2 = {"050": 70.18, "075": 75.56, "100": 78.09, "125": 79.65, "150": 80.38, "175": 80.84, "200": 81.17}

recipes = {
    f"mobilevit_{size}": Published(first(f"mobilevit_{size}"), source, top1, "ImageNet-1k; 8 GPUs")
    for size, source, top1 in V1
} | {f"mobilevitv2_{size}": Published(second(f"mobilevitv2_{size}"), ZOO, top1) for size, top1 in V2.items()}
