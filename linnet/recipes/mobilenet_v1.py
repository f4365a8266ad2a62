"""MobileNetV1: the paper's settings as far as they are known, and cvnets' re-training.

Paper: Howard et al. 2017 (arXiv 1704.04861), section 3.2: RMSProp asynchronous as for Inception-v3, little or no weight decay
on depthwise filters, no label smoothing, less augmentation. 70.6 %.
Command: linnet train PHOTOS --recipe mobilenetv1_100_cvnets
Hardware, time: not said.
Expected: cvnets 74.04 %. Not reproduced here. The paper's recipe promises nothing: rate 0.045, x 0.94 every 2 epochs, weight decay
4e-5 and the average are recalled from Inception-v3 and TF-slim; batch and length are not in our sources, so the batch is that of the
MobileNetV2 paper (96) and the length that of cvnets (300 epochs).

cvnets: 300 epochs, SGD, cosine, multi-scale; of its other values only those of its MobileNetV2 are in our sources
(mobilenet_v2.py), and taken.
"""

from __future__ import annotations

import dataclasses

from ..training.ingredients import RmsProp, Step
from ..training.recipe import Phase, Recipe
from .mobilenet_v2 import cvnets
from .published import Published

paper = Recipe(
    arch="mobilenetv1_100",
    phases=(Phase(epochs=300, image=224, batch=96),),
    optimizer=RmsProp(lr=0.045, weight_decay=4e-5, decayed="no_depthwise"),
    schedule=Step(warmup=0.0, factor=0.94, every=2.0),
    ema=0.9999,
    label_smoothing=0.0,
)

recipes = {
    "mobilenetv1_100": Published(paper, "Howard et al. 2017, section 3.2; partly recalled"),
    "mobilenetv1_100_cvnets": Published(
        dataclasses.replace(cvnets, arch="mobilenetv1_100"), "apple/ml-cvnets model zoo", 74.04
    ),
}
