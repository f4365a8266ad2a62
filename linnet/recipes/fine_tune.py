"""Fine-tuning on a small folder of photos: what `linnet fit` does by default, written out for 3,000 photos.

Source: docs/decisions/0004-first-recipes.md, measured there.
Command: linnet train PHOTOS --recipe fine_tune
Hardware: two processor cores are enough. Time and accuracy: as the photos are; see docs/reference/measured.md.

From EfficientNet-Lite0's ImageNet weights: first the classifier alone, then the rows above stride 8, with images that
grow to 160 pixels. `linnet fit` counts the photos and chooses epochs and batch by that; this is the recipe to change.
"""

from __future__ import annotations

from ..training.start import first_recipe
from .published import Published

recipe = first_recipe(pretrained="tf_efficientnet_lite0", photos=3000)

recipes = {
    "fine_tune": Published(
        recipe, "docs/decisions/0004-first-recipes.md", needs="some 300 to 10,000 photos; a processor"
    )
}
