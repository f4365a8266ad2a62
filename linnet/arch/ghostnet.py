"""GhostNet (Han 2020)."""

from __future__ import annotations

from .spec import Arch

ARCHS: tuple[Arch, ...] = ()
