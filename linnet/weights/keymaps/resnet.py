"""Names of ResNet (He 2016), ResNet-D (He 2019), ResNeXt (Xie 2017), SE-ResNet (Hu 2018) in timm and torchvision."""

from __future__ import annotations

from .table import Keys

KEYS: tuple[Keys, ...] = ()
