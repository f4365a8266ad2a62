"""ResNet (He 2016), ResNet-D (He 2019), ResNeXt (Xie 2017), SE-ResNet (Hu 2018)."""

from __future__ import annotations

from .spec import Arch

ARCHS: tuple[Arch, ...] = ()
