"""EfficientNet-Lite0 to Lite4: no squeeze-excite, ReLU6, for phones.

Source: tensorflow/tpu models/official/efficientnet/lite (README, builder): networks, sizes, accuracies.
Command: linnet train PHOTOS --recipe efficientnet_lite0
Hardware, time: not said.
Expected: 75.1, 76.7, 77.6, 79.8, 81.5 % (float). Not reproduced here.

As published: image, dropout, pictures as (x - 127) / 128. The README does not say how they were trained; they share the
training code of EfficientNet, so all else is its recipe (efficientnet.py), but without AutoAugment, of which nothing is said.
"""

from __future__ import annotations

import dataclasses

from .efficientnet import authors
from .published import Published

# image, dropout, top-1
SIZES = {
    "0": (224, 0.2, 75.1),
    "1": (240, 0.2, 76.7),
    "2": (260, 0.3, 77.6),
    "3": (280, 0.3, 79.8),
    "4": (300, 0.3, 81.5),
}

recipes = {
    f"efficientnet_lite{size}": Published(
        dataclasses.replace(
            authors(f"tf_efficientnet_lite{size}", image, dropout, policy="none"),
            preprocess={
                "image": image, "crop": image / (image + 32), "mean": [127 / 255] * 3, "std": [128 / 255] * 3,
            },
        ),
        "tensorflow/tpu efficientnet/lite README",
        top1,
    )
    for size, (image, dropout, top1) in SIZES.items()
}  # fmt: skip
