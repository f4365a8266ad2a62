"""Swin (Liu 2021) and Swin V2 (Liu 2022)."""

from __future__ import annotations

from .spec import Arch

ARCHS: tuple[Arch, ...] = ()
