"""MnasNet A1, B1 and small.

Paper: Tan et al. 2019 (arXiv 1807.11626v3), section 5 and Table 1; tensorflow/tpu models/official/mnasnet.
Command: linnet train PHOTOS --recipe mnasnet_a1
Hardware: TPUs. Time: not said.
Expected: A1 75.2 %, B1 74.5 % (recalled), small 64.9 % (as the MobileNetV3 paper's Table 3 prints it). Not reproduced here.

As published: RMSProp 0.9/0.9, 0 to 0.256 in 5 epochs, then x 0.97 every 2.4, batch 4096 ("4K"), weight decay 1e-5, dropout 0.2
before the last layer, BatchNorm 0.99 after every convolution; from the code: average 0.9999, label smoothing 0.1, 350 epochs.
"Inception preprocessing" is taken as the default crops.
"""

from __future__ import annotations

from ..training.ingredients import RmsProp, Step
from ..training.recipe import Phase, Recipe
from .published import Published


def authors(arch: str) -> Recipe:
    return Recipe(
        arch=arch,
        phases=(Phase(epochs=350, image=224, batch=4096, dropout=0.2),),
        optimizer=RmsProp(lr=0.256, decay=0.9, momentum=0.9, eps=1e-3, weight_decay=1e-5),
        schedule=Step(warmup=5.0, factor=0.97, every=2.4),
        ema=0.9999,
        label_smoothing=0.1,
    )


recipes = {
    "mnasnet_a1": Published(authors("semnasnet_100"), "Tan et al. 2019, Table 1", 75.2, "ImageNet-1k; TPUs"),
    "mnasnet_b1": Published(authors("mnasnet_100"), "Tan et al. 2019 (recalled)", 74.5, "ImageNet-1k; TPUs"),
    "mnasnet_small": Published(authors("mnasnet_small"), "Howard et al. 2019, Table 3", 64.9, "ImageNet-1k; TPUs"),
}
