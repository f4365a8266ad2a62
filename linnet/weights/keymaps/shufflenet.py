"""Names of ShuffleNet V1 (Zhang 2018) and V2 (Ma 2018) in timm and torchvision."""

from __future__ import annotations

from .table import Keys

KEYS: tuple[Keys, ...] = ()
