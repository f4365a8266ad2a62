"""Names of MobileViT (Mehta & Rastegari 2022) and MobileViTv2 (2023) in timm and torchvision."""

from __future__ import annotations

from .table import Keys

KEYS: tuple[Keys, ...] = ()
