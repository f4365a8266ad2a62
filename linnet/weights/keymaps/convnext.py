"""Names of ConvNeXt in timm, torchvision and Facebook's own files.

Sources: timm models/convnext.py, torchvision models/convnext.py, facebookresearch/ConvNeXt models/convnext.py (whose
files hold the state under "model").
"""

from __future__ import annotations

from ...arch.convnext import ConvNeXt
from .table import Keys, Table, uses

# fmt: off
TIMM: Table = {
    "stem.0.0":                  ("stem.0", "stem.1"),
    "ConvNeXt downsample.norm":  ("stages.{s}.downsample.0",),
    "ConvNeXt downsample.conv":  ("stages.{s}.downsample.1",),
    "ConvNeXt depthwise":        ("stages.{s}.blocks.{b}.conv_dw", "stages.{s}.blocks.{b}.norm"),
    "ConvNeXt mlp.expand":       ("stages.{s}.blocks.{b}.mlp.fc1",),
    "ConvNeXt mlp.project":      ("stages.{s}.blocks.{b}.mlp.fc2",),
    "ConvNeXt scale":            ("stages.{s}.blocks.{b}.gamma",),
    "head.norm":                 ("head.norm",),
    "head.classifier":           ("head.fc",),
}
FACEBOOK: Table = {
    "stem.0.0":                  ("downsample_layers.0.0", "downsample_layers.0.1"),
    "ConvNeXt downsample.norm":  ("downsample_layers.{s}.0",),
    "ConvNeXt downsample.conv":  ("downsample_layers.{s}.1",),
    "ConvNeXt depthwise":        ("stages.{s}.{b}.dwconv", "stages.{s}.{b}.norm"),
    "ConvNeXt mlp.expand":       ("stages.{s}.{b}.pwconv1",),
    "ConvNeXt mlp.project":      ("stages.{s}.{b}.pwconv2",),
    "ConvNeXt scale":            ("stages.{s}.{b}.gamma",),
    "head.norm":                 ("norm",),
    "head.classifier":           ("head",),
}


def _torchvision(s: int) -> Table:
    """A stage and the downsampling before it are two of torchvision's features."""
    return {
        f"stages.{s}.0.downsample.norm": (f"features.{2 * s}.0",),
        f"stages.{s}.0.downsample.conv": (f"features.{2 * s}.1",),
        f"stages.{s}.{{b}}.depthwise":   (f"features.{2 * s + 1}.{{b}}.block.0", f"features.{2 * s + 1}.{{b}}.block.2"),
        f"stages.{s}.{{b}}.mlp.expand":  (f"features.{2 * s + 1}.{{b}}.block.3",),
        f"stages.{s}.{{b}}.mlp.project": (f"features.{2 * s + 1}.{{b}}.block.5",),
        f"stages.{s}.{{b}}.scale":       (f"features.{2 * s + 1}.{{b}}.layer_scale (C11)",),
    }


TORCHVISION: Table = {
    "stem.0.0":                  ("features.0.0", "features.0.1"),
    **_torchvision(0), **_torchvision(1), **_torchvision(2), **_torchvision(3),
    "head.norm":                 ("classifier.0",),
    "head.classifier":           ("classifier.2",),
}
# fmt: on

KEYS = (Keys(uses(ConvNeXt), {"timm": TIMM, "torchvision": TORCHVISION, "facebook": FACEBOOK}),)
