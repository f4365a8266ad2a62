"""MobileViT (Mehta & Rastegari 2022) and MobileViTv2 (2023)."""

from __future__ import annotations

from .spec import Arch

ARCHS: tuple[Arch, ...] = ()
