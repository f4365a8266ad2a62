"""ResNet-50 as it is trained today: A1, A2, A3 of "ResNet strikes back", and FFCV's fast run with growing images.

Paper: Wightman et al. 2021 (arXiv 2110.00476), Table 2; values read in open-mmlab/mmpretrain configs/resnet/resnet50_8xb256-rsb-*.
Command: linnet train PHOTOS --recipe resnet50_a2
Hardware: 4 V100 of 32 GB. Time: A1 4.6 days.
Expected: A1 80.4; A2 79.8 and A3 78.1 are recalled. Not reproduced here.

As published: LAMB, batch 2048, 5e-3 (A3 8e-3), warm-up 5, cosine to 1e-6, weight decay 0.01 (A2, A3 0.02), binary cross-entropy,
mixup 0.2 (0.1), cutmix 1.0, RandAugment 7 (A3 6), repeated augmentation 3 (A3 none), drop path 0.05 (A3 none), label smoothing 0.1
(A1 alone), evaluation on the middle 95 %. A3 trains at 160 pixels (recalled) and is evaluated at 224. LAMB comes with a gradient
norm of 1. Differs: where two photos are mixed the paper asks for both labels whole (recalled), here for their shares.

FFCV: libffcv/ffcv-imagenet rn50_configs/rn50_88_epochs.yaml and README: 8 A100, 77.2 minutes, 78.4 %. SGD 1.7 at the file's batch of
512 (read as that of all GPUs), up from 1e-4 of it in 2 epochs and down to 0 on a line, weight decay 1e-4, images 160, from
epoch 71 on 192, evaluated at 256. Differs: theirs blurs before strides and averages over a picture and its mirror image.
"""

from __future__ import annotations

from ..training.ingredients import Cosine, Lamb, Linear, Sgd
from ..training.progressive import ramp
from ..training.recipe import Phase, Recipe
from .published import Published


def strikes_back(
    row: Phase, *, lr: float = 5e-3, weight_decay: float = 0.02, smoothing: float = 0.0, repeats: int = 1
) -> Recipe:
    return Recipe(
        arch="resnet50",
        phases=(row,),
        optimizer=Lamb(lr=lr, weight_decay=weight_decay),
        schedule=Cosine(warmup=5.0, start=1e-4, final=1e-6 / lr),
        loss="sigmoid",
        label_smoothing=smoothing,
        repeats=repeats,
        clip=1.0,
        ema=0.0,
        eval_image=224,
        preprocess={"image": 224, "crop": 0.95},
    )


a1 = strikes_back(
    Phase(epochs=600, image=224, batch=2048, randaugment=7, mixup=0.2, cutmix=1.0, drop_path=0.05),
    weight_decay=0.01,
    smoothing=0.1,
    repeats=3,
)
a2 = strikes_back(
    Phase(epochs=300, image=224, batch=2048, randaugment=7, mixup=0.1, cutmix=1.0, drop_path=0.05), repeats=3
)
a3 = strikes_back(Phase(epochs=100, image=160, batch=2048, randaugment=6, mixup=0.1, cutmix=1.0), lr=8e-3)

ffcv = Recipe(
    arch="resnet50",
    phases=ramp(88, image=(160, 192), start=65, end=76, batch=512),
    optimizer=Sgd(lr=1.7, momentum=0.9, nesterov=False, weight_decay=1e-4),
    schedule=Linear(warmup=2.0, start=1e-4),
    label_smoothing=0.1,
    ema=0.0,
    eval_image=256,
)

PAPER, V100 = "Wightman et al. 2021", "ImageNet-1k; 4 V100"

recipes = {
    "resnet50_a1": Published(a1, PAPER, 80.4, f"{V100}, 4.6 days"),
    "resnet50_a2": Published(a2, f"{PAPER} (recalled)", 79.8, V100),
    "resnet50_a3": Published(a3, f"{PAPER} (recalled)", 78.1, V100),
    "resnet50_ffcv": Published(ffcv, "libffcv/ffcv-imagenet README", 78.4, "ImageNet-1k; 8 A100, 77 min"),
}
