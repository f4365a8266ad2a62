"""ShuffleNet V1 (Zhang 2018) and V2 (Ma 2018)."""

from __future__ import annotations

from .spec import Arch

ARCHS: tuple[Arch, ...] = ()
