"""CIFAR-10 from scratch with a MobileNetV2 for pictures of 32 pixels.

Source: the setting of kuangliu/pytorch-cifar (its MobileNetV2 keeps the stride of 1 in the stem and the second stage; 94.43 %,
recalled). Not reproduced here.
Command: linnet train CIFAR --recipe cifar10, where CIFAR holds train/ and test/ with a folder of PNG files per class.
Hardware, time: one GPU; not said.

As published: SGD 0.1, momentum 0.9, weight decay 5e-4, batch 128, 200 epochs, cosine, mirror images. Differs: the published run shifts
pictures by up to 4 pixels; here crops take at least two thirds of the area.
"""

from __future__ import annotations

import dataclasses

from ..arch.names import find
from ..training.ingredients import Cosine, Sgd
from ..training.recipe import Phase, Recipe
from .published import Published

V2 = find("mobilenetv2_100")
# Strides of the stem and of the second stage (24 channels) become 1: the last map has 4 x 4 pixels.
network = dataclasses.replace(
    V2,
    name="mobilenetv2_100_cifar",
    image=32,
    stem=(dataclasses.replace(V2.stem[0], stride=1),),
    stages=(V2.stages[0], dataclasses.replace(V2.stages[1], stride=1), *V2.stages[2:]),
)

recipe = Recipe(
    arch=network.to_json(),
    phases=(Phase(epochs=200, image=32, batch=128),),
    optimizer=Sgd(lr=0.1, momentum=0.9, nesterov=False, weight_decay=5e-4, decayed="all"),
    schedule=Cosine(),
    crop_area=(0.66, 1.0),
    label_smoothing=0.0,
    ema=0.0,
    preprocess={
        "image": 32, "crop": 1.0, "mean": [0.4914, 0.4822, 0.4465], "std": [0.2470, 0.2435, 0.2616],
    },
)  # fmt: skip

recipes = {"cifar10": Published(recipe, "kuangliu/pytorch-cifar (recalled)", needs="CIFAR-10; one GPU")}
