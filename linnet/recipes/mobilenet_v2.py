"""MobileNetV2: the paper's, torchvision's and cvnets' training.

Paper: Sandler et al. 2018 (arXiv 1801.04381), section 6.1; TF-slim.
Command: linnet train PHOTOS --recipe mobilenetv2_100
Hardware: 16 GPUs, asynchronous, 96 photos each. Here one step takes 96 photos, as each of theirs did. TF-slim's
700,000 steps on 8 GPUs are 420 epochs. Time: not said.
Expected: paper 72.0, torchvision 71.88, cvnets 72.9 %. Not reproduced here.

As published: RMSProp 0.9/0.9, 0.045, x 0.98 per epoch, weight decay 4e-5; TF-slim's label smoothing and average.
torchvision: SGD 0.045, x 0.98 per epoch, 300 epochs, 8 GPUs x 32; label smoothing and an average are not spoken of.
cvnets: SGD with Nesterov, batch 1024 at 224 pixels, 0.05 to 0.4 in 7,500 steps, cosine to 2e-4, images of 128 to 320
pixels drawn for each step; which sizes between is not in our sources: multiples of 32 are taken. The number of steps in an
epoch follows the draws, so the warm-up's length in epochs is that at 224 pixels.
"""

from __future__ import annotations

from ..training.ingredients import Cosine, RmsProp, Sgd, Step
from ..training.recipe import Phase, Recipe
from .published import Published, in_epochs

paper = Recipe(
    arch="mobilenetv2_100",
    phases=(Phase(epochs=420, image=224, batch=96),),
    optimizer=RmsProp(lr=0.045, decay=0.9, momentum=0.9, weight_decay=4e-5),
    schedule=Step(warmup=0.0, factor=0.98, every=1.0),
    ema=0.9999,
    label_smoothing=0.1,
)

torchvision = Recipe(
    arch="mobilenetv2_100",
    phases=(Phase(epochs=300, image=224, batch=256),),
    optimizer=Sgd(lr=0.045, momentum=0.9, nesterov=False, weight_decay=4e-5, decayed="all"),
    schedule=Step(warmup=0.0, factor=0.98, every=1.0),
    ema=0.0,
    label_smoothing=0.0,
)

cvnets = Recipe(
    arch="mobilenetv2_100",
    phases=(Phase(epochs=300, image=224, sizes=(128, 160, 192, 224, 256, 288, 320), batch=1024),),
    optimizer=Sgd(lr=0.4, momentum=0.9, nesterov=True, weight_decay=4e-5),
    schedule=Cosine(warmup=in_epochs(7500, 1024), start=0.05 / 0.4, final=2e-4 / 0.4),
    ema=1 - 5e-4,
    label_smoothing=0.1,
)

recipes = {
    "mobilenetv2_100": Published(paper, "Sandler et al. 2018, section 6.1 and Table 4", 72.0, "ImageNet-1k; 16 GPUs"),
    "mobilenetv2_100_torchvision": Published(torchvision, "torchvision references", 71.88, "ImageNet-1k; 8 GPUs x 32"),
    "mobilenetv2_100_cvnets": Published(cvnets, "apple/ml-cvnets model zoo", 72.9),
}
