"""ViT from scratch on ImageNet-1k: the paper's B and L, and big_vision's S/16.

Papers: Dosovitskiy et al. 2021 (arXiv 2010.11929), Tables 3 and 5; google-research/big_vision configs, Beyer et al. 2022.
Command: linnet train PHOTOS --recipe vit_base_patch16
Hardware: TPUv3. Time: not in our sources.
Expected: the paper's figures are those at 384 pixels after fine-tuning (B/16 77.91, B/32 73.38, L/16 76.53, L/32 71.16 %), so these recipes
promise none; big_vision's S/16 76.5 %. Not reproduced here.

As published: Adam (0.9, 0.999), 3e-3 at a batch of 4096, cosine, weight decay 0.3 (decoupled), warm-up 10,000 steps, 300 epochs,
dropout 0.1, gradient norm 1. Differs: dropout is before the classifier only. Label smoothing and an average are
not spoken of; augmentation beyond crops and flips neither.

big_vision: 90 epochs, batch 1024, 1e-3, warm-up 10,000 steps, cosine, RandAugment(2, 10), mixup 0.2, gradient norm 1. Its weight decay
1e-4 is a share of the weights per step at the peak, which in AdamW's terms is 1e-4 / 1e-3 = 0.1. Differs: its
network pools over patches and has fixed positions; ours has a class token and learned ones, so its figure is for another head.
"""

from __future__ import annotations

from ..training.ingredients import AdamW, Cosine
from ..training.recipe import Phase, Recipe
from .published import Published, in_epochs


def paper(arch: str) -> Recipe:
    return Recipe(
        arch=arch,
        phases=(Phase(epochs=300, image=224, batch=4096, dropout=0.1),),
        optimizer=AdamW(lr=3e-3, betas=(0.9, 0.999), weight_decay=0.3),
        schedule=Cosine(warmup=in_epochs(10_000, 4096)),
        clip=1.0,
        ema=0.0,
        label_smoothing=0.0,
    )


big_vision = Recipe(
    arch="vit_small_patch16_224",
    phases=(Phase(epochs=90, image=224, batch=1024, randaugment=10, mixup=0.2),),
    optimizer=AdamW(lr=1e-3, weight_decay=0.1),
    schedule=Cosine(warmup=in_epochs(10_000, 1024)),
    clip=1.0,
    ema=0.0,
    label_smoothing=0.0,
)

SOURCE = "Dosovitskiy et al. 2021, Table 3; accuracies are printed at 384 pixels only"

recipes = {
    **{
        f"vit_{size}": Published(paper(f"vit_{size}_224"), SOURCE, needs="ImageNet-1k; TPUv3")
        for size in ("base_patch16", "base_patch32", "large_patch16", "large_patch32")
    },
    "vit_small_patch16_big_vision": Published(big_vision, "big_vision S/16 baseline (another head)", 76.5),
}
