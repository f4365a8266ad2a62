"""ConvNeXt (Liu 2022)."""

from __future__ import annotations

from .spec import Arch

ARCHS: tuple[Arch, ...] = ()
