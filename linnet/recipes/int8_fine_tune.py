"""A few epochs with int8's rounding, for a trained network that loses too much in int8.

Source: Jacob et al. 2018 (arXiv 1712.05877); Krishnamoorthi 2018 (arXiv 1806.08342), sections 3.2 and 4: from a trained
network, batch norms frozen. Rate and length are Linnet's own; what it gained here is in docs/guides/int8.md.
Command: linnet train PHOTOS --recipe int8_fine_tune --pretrained RUN --arch NAME --image SIDE
Hardware: two processor cores are enough. Time: not measured; every step rounds weights and activations besides.

RUN is the folder of the trained run, NAME and SIDE are its network and image side. Its classifier is kept, where the classes
are the same.
"""

from __future__ import annotations

from ..training.ingredients import AdamW, Constant
from ..training.recipe import Phase, Recipe
from .published import Published

recipe = Recipe(
    arch="mobilenetv3_small_100",
    phases=(Phase(epochs=3, image=160, batch=64),),
    optimizer=AdamW(lr=1e-4),
    schedule=Constant(),
    int8=True,
    bn_frozen=True,
    ema=0.9,
    crop_area=(0.35, 1.0),
)

recipes = {"int8_fine_tune": Published(recipe, "arXiv 1712.05877", needs="a trained run on your photos; a processor")}
