"""Plain stacks of convolutions: LeNet-5 (LeCun 1998), AlexNet (Krizhevsky 2012), VGG (Simonyan 2015)."""

from __future__ import annotations

from .spec import Arch

ARCHS: tuple[Arch, ...] = ()
