"""Names of EfficientViT of MIT (Cai 2023) in timm and torchvision."""

from __future__ import annotations

from .table import Keys

KEYS: tuple[Keys, ...] = ()
