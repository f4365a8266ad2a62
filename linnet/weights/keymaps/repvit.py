"""Names of RepViT (Wang 2024) in timm; torchvision has none. Source: timm models/repvit.py."""

from __future__ import annotations

from ...arch.repvit import RepViT
from .table import Keys, Table, uses


def _block(kind: str, part: str, place: str) -> Table:
    """The lines of a block: token mixer and channel mixer, which a layer between stages has too."""
    return {
        f"{kind} {part}token_mixer.depthwise": (f"{place}.token_mixer.conv.c", f"{place}.token_mixer.conv.bn"),
        f"{kind} {part}token_mixer.pointwise": (f"{place}.token_mixer.conv1",),
        f"{kind} {part}token_mixer.norm": (f"{place}.token_mixer.bn",),
        f"{kind} {part}gate.reduce": (f"{place}.se.fc1",),
        f"{kind} {part}gate.expand": (f"{place}.se.fc2",),
        f"{kind} {part}channel_mixer.expand": (f"{place}.channel_mixer.conv1.c", f"{place}.channel_mixer.conv1.bn"),
        f"{kind} {part}channel_mixer.project": (f"{place}.channel_mixer.conv2.c", f"{place}.channel_mixer.conv2.bn"),
    }


# fmt: off
TIMM: Table = {
    "stem.0.0":              ("stem.conv1.c", "stem.conv1.bn"),
    "stem.1.0":              ("stem.conv2.c", "stem.conv2.bn"),
    **_block("RepViT", "", "stages.{g}.blocks.{b}"),
    **_block("RepDown", "block.", "stages.{g}.downsample.pre_block"),
    "RepDown depthwise":     ("stages.{g}.downsample.spatial_downsample.c", "stages.{g}.downsample.spatial_downsample.bn"),
    "RepDown project":       ("stages.{g}.downsample.channel_downsample.c", "stages.{g}.downsample.channel_downsample.bn"),
    "RepDown channel_mixer.expand":  ("stages.{g}.downsample.ffn.conv1.c", "stages.{g}.downsample.ffn.conv1.bn"),
    "RepDown channel_mixer.project": ("stages.{g}.downsample.ffn.conv2.c", "stages.{g}.downsample.ffn.conv2.bn"),
    "head.normclassifier.0": ("head.head.l", "head.head.bn"),
    "head.normclassifier.1": ("head.head_dist.l", "head.head_dist.bn"),
}
# fmt: on

KEYS = (Keys(uses(RepViT), {"timm": TIMM}),)
