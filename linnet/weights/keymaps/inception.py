"""Names of Inception V1 (Szegedy 2015) and V3 (Szegedy 2016) in timm and torchvision."""

from __future__ import annotations

from .table import Keys

KEYS: tuple[Keys, ...] = ()
