"""Inception V1 (Szegedy 2015) and V3 (Szegedy 2016)."""

from __future__ import annotations

from .spec import Arch

ARCHS: tuple[Arch, ...] = ()
