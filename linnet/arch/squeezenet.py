"""SqueezeNet (Iandola 2016)."""

from __future__ import annotations

from .spec import Arch

ARCHS: tuple[Arch, ...] = ()
