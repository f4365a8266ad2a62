"""Every network by name, as timm calls it, with the spellings of torchvision, Keras and the papers as aliases."""

from __future__ import annotations

from fnmatch import fnmatch
from functools import cache

from ..errors import SettingError, did_you_mean
from . import (
    convnext,
    densenet,
    efficientnet,
    efficientvit,
    ghostnet,
    inception,
    lcnet,
    mnasnet,
    mobilenet,
    mobilenetv4,
    mobileone,
    mobilevit,
    nasnet,
    repvit,
    resnet,
    shufflenet,
    squeezenet,
    swin,
    vgg,
    vit,
    xception,
)
from .spec import Arch

# torchvision's and Keras' names, and the papers' own; lower case, "-" and "." written "_".
ALIASES = {
    "mobilenet": "mobilenetv1_100",
    "mobilenet_v1": "mobilenetv1_100",
    "mobilenet_v2": "mobilenetv2_100",
    "mobilenetv2": "mobilenetv2_100",
    "mobilenet_v3_large": "mobilenetv3_large_100",
    "mobilenet_v3_small": "mobilenetv3_small_100",
    "mobilenetv3large": "mobilenetv3_large_100",
    "mobilenetv3small": "mobilenetv3_small_100",
    "mnasnet_a1": "semnasnet_100",
    "mnasnet_b1": "mnasnet_100",
    "mnasnet0_5": "mnasnet_050",
    "mnasnet0_75": "mnasnet_075",
    "mnasnet1_0": "mnasnet_100",
    "mnasnet1_3": "mnasnet_130",
    **{f"efficientnetb{i}": f"efficientnet_b{i}" for i in range(9)},
    **{f"efficientnet_v2_{s}": f"efficientnetv2_{s}" for s in ("s", "m", "l", "xl", "b0", "b1", "b2", "b3")},
    **{f"efficientnetv2{s}": f"efficientnetv2_{s}" for s in ("s", "m", "l", "xl", "b0", "b1", "b2", "b3")},
}

# In the order in which `linnet archs` lists them.
FAMILIES = (
    mobilenet,
    mobilenetv4,
    mnasnet,
    efficientnet,
    mobilevit,
    mobileone,
    repvit,
    efficientvit,
    ghostnet,
    lcnet,
    convnext,
    vit,
    swin,
    resnet,
    densenet,
    inception,
    xception,
    nasnet,
    shufflenet,
    squeezenet,
    vgg,
)


@cache
def known() -> dict[str, Arch]:
    return {arch.name: arch for family in FAMILIES for arch in family.ARCHS}


@cache
def aliases() -> dict[str, str]:
    """Other names of the networks: those above, and those that a family's own file gives."""
    return ALIASES | {alias: name for family in FAMILIES for alias, name in getattr(family, "ALIASES", {}).items()}


def find(name: str) -> Arch:
    """The Arch of that name or alias; a tag of timm's weights behind a point is passed over.

    Raises SettingError with the nearest names when there is none.

    >>> find("EfficientNet-B0").name, find("efficientnet_b0.ra_in1k").name
    ('efficientnet_b0', 'efficientnet_b0')
    """
    return known()[split(name)[0]]


def split(name: str) -> tuple[str, str]:
    """The network's own name, and the tag of weights behind a point of the given one ("" where there is none).

    The whole name may be a network's ("squeezenet1.1"); else the first point that leaves one begins the tag.
    Raises SettingError with the nearest names when there is none.

    >>> split("timm/resnet50.a1_in1k"), split("squeezenet1.1")
    (('resnet50', 'a1_in1k'), ('squeezenet1_1', ''))
    """
    short = name.removeprefix("hf-hub:").removeprefix("timm/")
    for end in (len(short), *(i for i, letter in enumerate(short) if letter == ".")):
        plain = _plain(short[:end])
        network = aliases().get(plain, plain)
        if network in known():
            return network, short[end + 1 :]
    near = did_you_mean(_plain(short), [*known(), *aliases()])
    raise SettingError(f"No network is called {name!r}.{near} `linnet archs` lists them all.")


def _plain(name: str) -> str:
    return name.lower().replace("-", "_").replace(".", "_")


def archs(pattern: str = "*") -> list[str]:
    """List the networks that Linnet can build.

    Args:
        pattern: Show only names that match, such as "mobilenet*" or "*lite*".
    """
    names = [name for name in known() if fnmatch(name, pattern) or fnmatch(name, f"*{pattern}*")]
    if not names:
        raise SettingError(f"No network matches {pattern!r}.{did_you_mean(pattern, known())} Try `linnet archs`.")
    return names
