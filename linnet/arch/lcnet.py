"""PP-LCNet (Cui 2021)."""

from __future__ import annotations

from .spec import Arch

ARCHS: tuple[Arch, ...] = ()
