"""DenseNet (Huang 2017)."""

from __future__ import annotations

from .spec import Arch

ARCHS: tuple[Arch, ...] = ()
