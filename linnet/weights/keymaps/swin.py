"""Names of Swin (Liu 2021) and Swin V2 (Liu 2022) in timm and torchvision."""

from __future__ import annotations

from .table import Keys

KEYS: tuple[Keys, ...] = ()
