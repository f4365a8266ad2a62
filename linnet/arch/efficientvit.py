"""EfficientViT of MIT (Cai 2023)."""

from __future__ import annotations

from .spec import Arch

ARCHS: tuple[Arch, ...] = ()
