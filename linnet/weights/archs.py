"""The verb `archs`: which networks there are, and which weights."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from fnmatch import fnmatch
from typing import Any

from ..arch.names import archs as networks
from ..errors import SettingError, did_you_mean


@dataclass(frozen=True)
class Offer:
    """One set of pretrained weights."""

    name: str  # "network.tag"
    top1: float | None  # ImageNet accuracy in per cent, as published; None where no figure was at hand
    image: int
    licence: str


@dataclass(frozen=True)
class Offers:
    """Sets of pretrained weights, in the order of the catalogue."""

    sets: tuple[Offer, ...]

    def to_json(self) -> list[dict[str, Any]]:
        return [asdict(offer) for offer in self.sets]

    def __str__(self) -> str:
        wide = max(len(offer.name) for offer in self.sets)
        return "\n".join(
            f"{o.name:{wide}}  {'-' if o.top1 is None else f'{o.top1:g} %':>8}  {o.image:>3} px  {o.licence}"
            for o in self.sets
        )


def archs(pattern: str = "*", *, pretrained: bool = False) -> list[str] | Offers:
    """List the networks that Linnet can build.

    Args:
        pattern: Show only names that match, such as "mobilenet*" or "*lite*".
        pretrained: Show the sets of pretrained weights instead, with accuracy, size of the image and licence.
    """
    return offers(pattern) if pretrained else networks(pattern)


def offers(pattern: str = "*") -> Offers:
    """The sets of weights whose whole name matches ("resnet50.a1*"), and all of the networks that match ("resnet*").

    Raises: SettingError when there are none.
    """
    from .pretrained import catalogue

    sets = tuple(
        Offer(key, weights.metrics.get("top1"), weights.preprocess.image, weights.licence.name)
        for key, weights in catalogue().items()
        if fnmatch(key, pattern) or fnmatch(key.partition(".")[0], f"*{pattern}*")
    )
    if not sets:
        raise SettingError(
            f"No pretrained weights match {pattern!r}.{did_you_mean(pattern, catalogue())} Try `linnet archs"
            " --pretrained`, which lists them all."
        )
    return Offers(sets)
