"""A long modern recipe for any network, tried on ResNet-50 by torchvision.

Source: torchvision's new training recipe (2021; values read in a copy, accuracy recalled): ResNet-50 80.9 % (weights
IMAGENET1K_V2). Not reproduced here.
Warm-up's beginning is the default of references/classification/train.py, --lr-warmup-decay (read).
Command: linnet train PHOTOS --recipe modern --arch mobilenetv3_large_100
Hardware: 8 GPUs x 128 photos. Time: not said.

As published: SGD 0.5 at a batch of 1024, cosine over 600 epochs after a warm-up of 5 from a hundredth, weight decay 2e-5 (none on norms), TrivialAugment,
mixup 0.2, cutmix 1.0, erasing 0.1, label smoothing 0.1, repeated augmentation 4; trained at 176 pixels, evaluated at 224 (after a
resize to 232): smaller images in training look like larger ones in use (FixRes, Touvron et al. 2019). Its average takes
a step in 32 with 0.99998, which is about 0.99998 ** (1 / 32) a step; the default 0.9999 is kept here.
"""

from __future__ import annotations

from ..training.ingredients import Cosine, Sgd
from ..training.recipe import Phase, Recipe
from .published import Published

recipe = Recipe(
    arch="resnet50",
    phases=(Phase(epochs=600, image=176, batch=1024, mixup=0.2, cutmix=1.0, erasing=0.1),),
    optimizer=Sgd(lr=0.5, momentum=0.9, nesterov=False, weight_decay=2e-5),
    schedule=Cosine(warmup=5.0, start=0.01),
    label_smoothing=0.1,
    policy="trivialaugment",
    repeats=4,
    eval_image=224,
    preprocess={"image": 224, "crop": 224 / 232},
)

recipes = {"modern": Published(recipe, "torchvision references (recalled)", 80.86, "ImageNet-1k; 8 GPUs x 128")}
