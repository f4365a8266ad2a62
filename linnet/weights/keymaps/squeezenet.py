"""Names of SqueezeNet (Iandola 2016) in timm and torchvision."""

from __future__ import annotations

from .table import Keys

KEYS: tuple[Keys, ...] = ()
