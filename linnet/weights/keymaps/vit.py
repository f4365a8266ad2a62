"""Names of Vision transformers (Dosovitskiy 2021) and DeiT (Touvron 2021) in timm and torchvision."""

from __future__ import annotations

from .table import Keys

KEYS: tuple[Keys, ...] = ()
