"""Vision transformers (Dosovitskiy 2021) and DeiT (Touvron 2021)."""

from __future__ import annotations

from .spec import Arch

ARCHS: tuple[Arch, ...] = ()
