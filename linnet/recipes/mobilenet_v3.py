"""MobileNetV3 Large and Small: the paper's, timm's, torchvision's, cvnets' and d-li14's training.

Paper: Howard et al. 2019 (arXiv 1905.02244v5), section 6.1 and Table 3.
Command: linnet train PHOTOS --recipe mobilenetv3_large
Hardware: 4 x 4 TPU pod. Time: not said.
Expected: paper Large 75.2, Small 67.4; timm Large 75.8; torchvision 74.04 and 67.67; cvnets 75.13 and 66.65;
d-li14 74.28 and 67.21 %. Not reproduced here.

As published: RMSProp momentum 0.9, 0.1 at a batch of 4096, "decay 0.01 every 3 epochs" (x 0.99), dropout 0.8 kept (0.2), L2 1e-5,
average 0.9999, BatchNorm average 0.99. The number of epochs is not in our sources: timm's 600 are taken, so the paper's
figure is no promise.
torchvision's values are recalled, not re-read (and its code, as it was, decayed everything and smoothed no labels); timm's
warm-up is 5 epochs from 1e-6 as in efficientnet.py; d-li14's optimiser is not in our sources (SGD with momentum taken), nor is cvnets'
average, taken from its MobileNetV2.
"""

from __future__ import annotations

from ..training.ingredients import Cosine, RmsProp, Sgd, Step
from ..training.recipe import Phase, Recipe
from .published import Published, in_epochs

LARGE, SMALL = "mobilenetv3_large_100", "mobilenetv3_small_100"


def paper(arch: str) -> Recipe:
    return Recipe(
        arch=f"tf_{arch}",
        phases=(Phase(epochs=600, image=224, batch=4096, dropout=0.2),),
        optimizer=RmsProp(lr=0.1, momentum=0.9, weight_decay=1e-5),
        schedule=Step(warmup=0.0, factor=0.99, every=3.0),
        ema=0.9999,
    )


def timm(arch: str) -> Recipe:
    return Recipe(
        arch=arch,
        phases=(Phase(epochs=600, image=224, batch=1024, dropout=0.2, drop_path=0.2, randaugment=9, erasing=0.2),),
        optimizer=RmsProp(lr=0.064, weight_decay=1e-5),
        schedule=Step(warmup=5.0, start=1e-6 / 0.064, factor=0.973, every=2.4),
        ema=0.9999,
    )


def torchvision(arch: str) -> Recipe:
    return Recipe(
        arch=arch,
        phases=(Phase(epochs=600, image=224, batch=1024, dropout=0.2, erasing=0.2),),
        optimizer=RmsProp(lr=0.064, weight_decay=1e-5, decayed="all"),
        schedule=Step(warmup=0.0, factor=0.973, every=2.0),
        ema=0.0,
        label_smoothing=0.0,
        policy="autoaugment",
    )


def cvnets(arch: str) -> Recipe:
    return Recipe(
        arch=arch,
        phases=(Phase(epochs=300, image=224, batch=2048),),
        optimizer=Sgd(lr=0.8, momentum=0.9, nesterov=True, weight_decay=4e-5),
        schedule=Cosine(warmup=in_epochs(3000, 2048), start=0.1 / 0.8, final=4e-4 / 0.8),
        ema=1 - 5e-4,
    )


def d_li14(arch: str) -> Recipe:
    return Recipe(
        arch=arch,
        phases=(Phase(epochs=150, image=224, batch=1024, dropout=0.2),),
        optimizer=Sgd(lr=0.4, momentum=0.9, nesterov=False, weight_decay=4e-5),
        schedule=Cosine(warmup=5.0),
        ema=0.0,
        label_smoothing=0.1,
    )


PAPER, EIGHT = "Howard et al. 2019, section 6.1; its length is not known", "ImageNet-1k; 8 GPUs x 128"
TORCHVISION, CVNETS, DLI14 = (
    "torchvision references (recalled)",
    "apple/ml-cvnets model zoo",
    "d-li14/mobilenetv3.pytorch",
)

recipes = {
    "mobilenetv3_large": Published(paper(LARGE), PAPER, needs="ImageNet-1k; 4 x 4 TPU pod"),
    "mobilenetv3_small": Published(paper(SMALL), PAPER, needs="ImageNet-1k; 4 x 4 TPU pod"),
    "mobilenetv3_large_timm": Published(timm(LARGE), "timm, training_script", 75.8, "ImageNet-1k; 2 GPUs x 512"),
    "mobilenetv3_large_torchvision": Published(torchvision(LARGE), TORCHVISION, 74.04, EIGHT),
    "mobilenetv3_small_torchvision": Published(torchvision(SMALL), TORCHVISION, 67.67, EIGHT),
    "mobilenetv3_large_cvnets": Published(cvnets(LARGE), CVNETS, 75.13),
    "mobilenetv3_small_cvnets": Published(cvnets(SMALL), CVNETS, 66.65),
    "mobilenetv3_large_d_li14": Published(d_li14(LARGE), DLI14, 74.28),
    "mobilenetv3_small_d_li14": Published(d_li14(SMALL), DLI14, 67.21),
}
