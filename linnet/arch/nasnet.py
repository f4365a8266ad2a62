"""NASNet-A mobile (Zoph 2018)."""

from __future__ import annotations

from .spec import Arch

ARCHS: tuple[Arch, ...] = ()
