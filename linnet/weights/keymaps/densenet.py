"""Names of DenseNet (Huang 2017) in timm and torchvision."""

from __future__ import annotations

from .table import Keys

KEYS: tuple[Keys, ...] = ()
