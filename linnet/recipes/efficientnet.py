"""EfficientNet B0 to B7 as its authors trained them, and B0 and B2 as timm did.

Paper: Tan & Le 2019 (arXiv 1905.11946v5), section 5.2 and Table 2; tensorflow/tpu models/official/efficientnet (main.py,
efficientnet_builder.py, README).
Command: linnet train PHOTOS --recipe efficientnet_b0
Hardware: TPUs; the code's default is a batch of 2048 at a rate of 0.128, which is 0.016 per 256 (0.256 at 4096). Time: not said.
Expected: the README's "AutoAugment" row: B0 to B7 77.1, 79.1, 80.1, 81.6, 82.9, 83.6, 84.0, 84.3 %. Not reproduced here.

As published: size, dropout, RMSProp, schedule, 350 epochs, weight decay, label smoothing, average, drop-connect 0.2 for every
size (survival 0.8; the first arXiv version said 0.3), AutoAugment, BatchNorm over groups of 128. The authors held out
25,022 training photos for choosing the epoch. Differs: their code decays the biases of linear layers too.

timm (hfdocs, training_script and training_hparam_examples): 2 GPUs; B0 77.7 %, B2 80.4 %. Its warm-up's length is not
in our sources: 5 epochs are left, from timm's 1e-6.
"""

from __future__ import annotations

from ..training.ingredients import RmsProp, Step
from ..training.recipe import Phase, Recipe
from .published import Published

README = "Tan & Le 2019; tensorflow/tpu efficientnet README, AutoAugment row"

# image, dropout, top-1
SIZES = {
    "b0": (224, 0.2, 77.1),
    "b1": (240, 0.2, 79.1),
    "b2": (260, 0.3, 80.1),
    "b3": (300, 0.3, 81.6),
    "b4": (380, 0.4, 82.9),
    "b5": (456, 0.4, 83.6),
    "b6": (528, 0.5, 84.0),
    "b7": (600, 0.5, 84.3),
}


def authors(arch: str, image: int, dropout: float, policy: str = "autoaugment") -> Recipe:
    """The common recipe of the authors' code; images are cropped to image / (image + 32) for evaluation."""
    return Recipe(
        arch=arch,
        phases=(Phase(epochs=350, image=image, batch=2048, dropout=dropout, drop_path=0.2),),
        optimizer=RmsProp(lr=0.128, decay=0.9, momentum=0.9, eps=1e-3, weight_decay=1e-5),
        schedule=Step(warmup=5.0, factor=0.97, every=2.4),
        ema=0.9999,
        label_smoothing=0.1,
        policy=policy,  # pyright: ignore[reportArgumentType]
        bn_group=128,
        preprocess={"image": image, "crop": image / (image + 32)},
    )


def timm(arch: str, image: int, dropout: float, batch: int, lr: float) -> Recipe:
    return Recipe(
        arch=arch,
        phases=(
            Phase(epochs=450, image=image, batch=batch, dropout=dropout, drop_path=0.2, randaugment=9, erasing=0.2),
        ),
        optimizer=RmsProp(lr=lr, weight_decay=1e-5),
        schedule=Step(warmup=5.0, start=1e-6 / lr, factor=0.97, every=2.4),
        ema=0.9999,
        preprocess={"image": image, "crop": image / (image + 32)},
    )


recipes = {
    f"efficientnet_{size}": Published(
        authors(f"tf_efficientnet_{size}", image, dropout), README, top1, "ImageNet-1k; TPUs"
    )
    for size, (image, dropout, top1) in SIZES.items()
} | {
    "efficientnet_b0_timm": Published(
        timm("efficientnet_b0", 224, 0.2, 768, 0.048), "timm, training_script", 77.7, "ImageNet-1k; 2 GPUs x 384"
    ),
    "efficientnet_b2_timm": Published(
        timm("efficientnet_b2", 260, 0.3, 256, 0.016),
        "timm, training_hparam_examples",
        80.4,
        "ImageNet-1k; 2 Titan RTX x 128",
    ),
}
