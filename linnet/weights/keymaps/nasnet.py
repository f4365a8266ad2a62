"""Names of NASNet-A mobile (Zoph 2018) in timm and torchvision."""

from __future__ import annotations

from .table import Keys

KEYS: tuple[Keys, ...] = ()
