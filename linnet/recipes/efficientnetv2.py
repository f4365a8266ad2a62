"""EfficientNetV2 S, M and L with progressive learning, once by the paper and once by the released code; B0 to B3; torchvision.

Paper: Tan & Le 2021 (arXiv 2104.00298v3), Tables 6 and 7; google/automl efficientnetv2 (effnetv2_configs.py, main.py, README).
Command: linnet train PHOTOS --recipe efficientnetv2_s_paper
Hardware: 32 TPUv3 cores. Time: 7.1, 13 and 24 hours for S, M, L (recalled).
Expected: paper S 83.9, M 85.1, L 85.7 %; README S 83.9, M 85.2, L 85.7, B0 78.7, B1 79.8, B2 80.5, B3 82.1 %. Not reproduced here.

Both: RMSProp 0.256 at a batch of 4096, warm-up 5 epochs, x 0.97 every 2.4, 350 epochs, weight decay 1e-5, average
0.9999, label smoothing 0.1, survival 0.8, RandAugment of 2 layers, evaluation at a larger size than training's last. "paper" and
"code" differ in the rows (`efficientnetv2_rows`); the code also takes crops from 5 % of a photo on, bilinear, and from 320
pixels on evaluates the whole photo brought to a square. Its BatchNorm has momentum 0.9 (paper: 0.99, as here).
B0 to B3 have fixed sizes here: whether the code trained them progressively is not in our sources.

torchvision (recalled, not re-read): 8 GPUs x 128, SGD 0.5, cosine, 600 epochs, warm-up 5 from a
hundredth (references/classification/train.py, --lr-warmup-decay, read), TrivialAugment, erasing 0.1,
mixup 0.2, cutmix 1.0, weight decay 2e-5, repeated augmentation 4: S 84.2, M 85.1 %. Its average's decay is not in our
sources and left at the default.
"""

from __future__ import annotations

from typing import Any, Literal

from ..training.ingredients import Cosine, RmsProp, Sgd, Step
from ..training.progressive import efficientnetv2_rows
from ..training.recipe import Phase, Recipe
from .published import Published

HALF = {"mean": [128 / 255] * 3, "std": [128 / 255] * 3}
HARDWARE = "ImageNet-1k; 32 TPUv3 cores"


def authors(arch: str, phases: tuple[Phase, ...], eval_image: int, **rest: Any) -> Recipe:
    return Recipe(
        arch=arch,
        phases=phases,
        optimizer=RmsProp(lr=0.256, decay=0.9, momentum=0.9, eps=1e-3, weight_decay=1e-5),
        schedule=Step(warmup=5.0, factor=0.97, every=2.4),
        ema=0.9999,
        label_smoothing=0.1,
        eval_image=eval_image,
        **rest,
    )


def paper(size: Literal["s", "m", "l"], eval_image: int) -> Recipe:
    return authors(f"tf_efficientnetv2_{size}", efficientnetv2_rows(size, "paper"), eval_image)


def code(size: Literal["s", "m", "l"], eval_image: int) -> Recipe:
    preprocess = {"image": eval_image, "mode": "squash", "interpolation": "bilinear", **HALF}
    rows = efficientnetv2_rows(size, "code")
    return authors(f"tf_efficientnetv2_{size}", rows, eval_image, crop_area=(0.05, 1.0), preprocess=preprocess)


def small(size: str, image: int, eval_image: int, dropout: float) -> Recipe:
    """B0 to B3: pictures and AutoAugment as EfficientNet has them."""
    row = Phase(epochs=350, image=image, batch=4096, dropout=dropout, drop_path=0.2)
    preprocess = {"image": eval_image, "crop": eval_image / (eval_image + 32)}
    arch = f"tf_efficientnetv2_{size}"
    return authors(arch, (row,), eval_image, policy="autoaugment", preprocess=preprocess)


def torchvision(size: str, image: int, eval_image: int) -> Recipe:
    row = Phase(epochs=600, image=image, batch=1024, mixup=0.2, cutmix=1.0, erasing=0.1)
    return Recipe(
        arch=f"efficientnetv2_{size}",
        phases=(row,),
        optimizer=Sgd(lr=0.5, momentum=0.9, nesterov=False, weight_decay=2e-5),
        schedule=Cosine(warmup=5.0, start=0.01),
        label_smoothing=0.1,
        policy="trivialaugment",
        repeats=4,
        eval_image=eval_image,
    )


PAPER, CODE = "Tan & Le 2021, Tables 6 and 7", "google/automl efficientnetv2 README"
RECALLED = "torchvision's training recipe (recalled)"

recipes = {
    "efficientnetv2_s_paper": Published(paper("s", 384), PAPER, 83.9, f"{HARDWARE}, 7.1 h"),
    "efficientnetv2_m_paper": Published(paper("m", 480), PAPER, 85.1, f"{HARDWARE}, 13 h"),
    "efficientnetv2_l_paper": Published(paper("l", 480), PAPER, 85.7, f"{HARDWARE}, 24 h"),
    "efficientnetv2_s_code": Published(code("s", 384), CODE, 83.9, HARDWARE),
    "efficientnetv2_m_code": Published(code("m", 480), CODE, 85.2, HARDWARE),
    "efficientnetv2_l_code": Published(code("l", 480), CODE, 85.7, HARDWARE),
    "efficientnetv2_b0": Published(small("b0", 192, 224, 0.2), CODE, 78.7),
    "efficientnetv2_b1": Published(small("b1", 192, 240, 0.2), CODE, 79.8),
    "efficientnetv2_b2": Published(small("b2", 208, 260, 0.3), CODE, 80.5),
    "efficientnetv2_b3": Published(small("b3", 240, 300, 0.3), CODE, 82.1),
    "efficientnetv2_s_torchvision": Published(torchvision("s", 300, 384), RECALLED, 84.23, "ImageNet-1k; 8 GPUs x 128"),
    "efficientnetv2_m_torchvision": Published(torchvision("m", 384, 480), RECALLED, 85.11, "ImageNet-1k; 8 GPUs x 128"),
}
