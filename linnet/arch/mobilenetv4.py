"""MobileNetV4 (Qin 2024)."""

from __future__ import annotations

from .spec import Arch

ARCHS: tuple[Arch, ...] = ()
