"""Which networks may be the answer to a budget, in which image sizes, and what is known of each without a measurement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..arch.names import find
from ..arch.spec import Arch
from ..cost.count import count
from ..training.start import FEW, has_weights, side_step

# Networks that lie on somebody's front of accuracy against latency on a processor; first those that most photos ask for.
NETWORKS = (
    "tf_efficientnet_lite0", "mobilenetv3_small_050", "mobilenetv3_small_100", "mobilenetv3_large_100",
    "mobilenetv2_035", "mobilenetv2_100", "lcnet_050", "lcnet_100", "mnasnet_100", "mobilenetv4_conv_small",
    "mobilenetv4_conv_medium", "efficientnet_b0", "efficientnetv2_b0", "resnet50", "convnext_tiny",
)  # fmt: skip
SMALLEST = 96  # pixels: below it little is left of a photo
LARGEST = 1.5  # times the image that a network is made for, at most 224: networks see more in somewhat larger images
BYTES = {"fp32": 4.1, "bf16": 4.1, "int8": 1.3}  # of a file for each weight, the graph with it
BESIDE, ALONE = 2, 4  # networks from scratch that are tried: beside pretrained ones where photos are few, and else


@dataclass(frozen=True)
class Network:
    """A network with the user's classes, whether its weights are pretrained, and the sides that it may see, ascending."""

    arch: Arch
    tuned: bool
    sides: tuple[int, ...]

    @property
    def name(self) -> str:
        return self.arch.name

    def madds(self, image: int) -> int:
        return count(self.arch, image).total.madds

    def size(self, precision: str) -> int:
        """Bytes of a runtime's files, nearly."""
        total = count(self.arch).total
        return round(BYTES[precision] * (total.params + total.bn_stats))


def networks(
    classes: int, *, arch: str | None = None, image: int | None = None, scratch: bool = False
) -> list[Network]:
    """All candidates, or the one that is named; at all sizes, or at the one that is named."""
    found = []
    for name in (arch,) if arch else NETWORKS:
        table = find(name).with_classes(classes)
        sides = (image,) if image else sides_of(table)
        found.append(Network(replace(table, image=sides[-1]), not scratch and has_weights(table.name), sides))
    return found


def sides_of(arch: Arch) -> tuple[int, ...]:
    """From SMALLEST to LARGEST times its own image (which is taken as 224 at most), in steps of 16 or of what the network takes;
    its own image alone where that is smaller still."""
    step = max(16, side_step(arch))
    most = round(LARGEST * min(arch.image, 224))
    return tuple(range(-(-SMALLEST // step) * step, most + 1, step)) or (arch.image,)


def short_list(goals: Mapping[str, tuple[Network, int]], photos: int, *, hurried: bool = False) -> list[str]:
    """Names of the networks that are worth measuring, of those that may fit at a side: the pretrained ones, then the
    largest from scratch, which learn the most. Few photos teach a network little from scratch, so these are few then, and
    none where time is short (`hurried`).
    """
    order = sorted(goals, key=lambda name: -goals[name][0].madds(goals[name][1]))
    tuned = [name for name in order if goals[name][0].tuned][:ALONE]
    rest = [name for name in order if not goals[name][0].tuned]
    beside = (0 if hurried else BESIDE) if tuned and photos <= FEW else ALONE
    return tuned + rest[:beside]
