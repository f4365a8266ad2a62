"""Names of Plain stacks of convolutions: LeNet-5 (LeCun 1998), AlexNet (Krizhevsky 2012), VGG (Simonyan 2015) in timm and torchvision."""

from __future__ import annotations

from .table import Keys

KEYS: tuple[Keys, ...] = ()
