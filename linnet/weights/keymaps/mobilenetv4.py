"""Names of MobileNetV4 (Qin 2024) in timm and torchvision."""

from __future__ import annotations

from .table import Keys

KEYS: tuple[Keys, ...] = ()
