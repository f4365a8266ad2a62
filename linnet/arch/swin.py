"""Swin (Liu 2021) and Swin V2 (Liu 2022): attention within windows, which every other layer shifts by half of one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from ..errors import SettingError
from .scale import Scaling
from .spec import Arch, Classifier, Dropout, Layer, Norm, Operator, Pool, Size, Stage, Style
from .vit import Patchify

Pair = tuple[int, int]


@dataclass(frozen=True)
class Swin(Operator):
    """Attention within `window` x `window` pixels, then an MLP, each normed before; heads are `d` channels wide.

    `shifted` moves the windows by half of one. A row's first layer with a stride merges 2 x 2 pixels before.
    """

    window: int
    shifted: bool = False
    d: int = 32  # Liu 2021, section 3.3
    mlp: float = 4.0
    units: ClassVar[int] = 2

    def __post_init__(self) -> None:
        if min(self.window, self.d) < 1 or not self.mlp > 0:
            raise SettingError(f"{self}: window, d and mlp are numbers above 0.")

    def heads(self, channels: int) -> int:
        """Raises SettingError where heads of `d` channels do not fill them."""
        if channels % self.d:
            raise SettingError(
                f"{channels} channels are not filled by heads of {self.d}: give {type(self).__name__} a d that divides"
                " them, or the row a multiple of it."
            )
        return channels // self.d

    def windows(self, size: Size) -> tuple[Pair, Pair]:
        """(down, across) of a window and of its shift on a map of that size.

        A window is no larger than the map, and where one covers it there is nowhere to shift to (the released code's
        rule, SwinTransformerBlock).
        """
        h, w = size
        shift = self.window // 2 if self.shifted else 0
        return (
            (min(self.window, h), min(self.window, w)),
            (shift if h > self.window else 0, shift if w > self.window else 0),
        )

    def merges(self, layer: Layer) -> bool:
        """Whether the layer halves its map; raises SettingError where it has to but is denied its stride."""
        if layer.cin != layer.cout and layer.stride == 1:
            raise SettingError(
                "A row of Swin changes its channels by merging pixels, which needs stride 2 and has no dilated form:"
                " build the network without output_stride."
            )
        return layer.stride > 1


@dataclass(frozen=True)
class SwinV2(Swin):
    """The same normed after, with cosine attention and a position bias that a small network makes from distances.

    `pretrained` is the window that it was trained with before, whose distances then stay the measure; 0: this one.
    """

    pretrained: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.pretrained < 0:
            raise SettingError(f"{self}: pretrained is a window, or 0 where there was no other before.")


def _turns(window: int) -> tuple[Swin, Swin]:
    return Swin(window), Swin(window, shifted=True)


def _turns2(window: int, pretrained: int = 0) -> tuple[SwinV2, SwinV2]:
    return SwinV2(window, pretrained=pretrained), SwinV2(window, shifted=True, pretrained=pretrained)


# fmt: off
swin_tiny_patch4_window7_224 = Arch("swin_tiny_patch4_window7_224", image=224,               # Liu 2021, Table 7
    style=Style(act="gelu", norm="layer"), init="trunc", scaling=Scaling(divisor=32), source="arXiv 2103.14030, Table 7",
    stem=(Stage(Patchify(ragged=True), 96, 1, 4),),
    stages=(  # operator               C  n  s   heads
        Stage(_turns(7),              96, 2, 1),  # 3
        Stage(_turns(7),             192, 2, 2),  # 6
        Stage(_turns(7),             384, 6, 2),  # 12
        Stage(_turns(7),             768, 2, 2)),  # 24
    head=(Norm(), Pool(), Dropout(), Classifier()))

swinv2_tiny_window8_256 = replace(swin_tiny_patch4_window7_224, name="swinv2_tiny_window8_256", image=256,
    source="arXiv 2111.09883, section 3.4 (SwinV2-T)",
    stages=(
        Stage(_turns2(8),             96, 2, 1),
        Stage(_turns2(8),            192, 2, 2),
        Stage(_turns2(8),            384, 6, 2),
        Stage(_turns2(8),            768, 2, 2)))

# C of the first stage and layers of the third: section 3.3 of both papers.
_SIZES = {"tiny": (96, 6), "small": (96, 18), "base": (128, 18), "large": (192, 18)}
_V1 = (  #        window image
    ("small_patch4_window7_224",    7, 224),
    ("base_patch4_window7_224",     7, 224),
    ("base_patch4_window12_384",   12, 384),
    ("large_patch4_window7_224",    7, 224),
    ("large_patch4_window12_384",  12, 384))
_V2 = (  #            window image windows of the training before, by stage
    ("tiny_window16_256",            16, 256, (0, 0, 0, 0)),
    ("small_window8_256",             8, 256, (0, 0, 0, 0)),
    ("small_window16_256",           16, 256, (0, 0, 0, 0)),
    ("base_window8_256",              8, 256, (0, 0, 0, 0)),
    ("base_window16_256",            16, 256, (0, 0, 0, 0)),
    ("base_window12_192",            12, 192, (0, 0, 0, 0)),
    ("base_window12to16_192to256",   16, 256, (12, 12, 12, 6)),
    ("base_window12to24_192to384",   24, 384, (12, 12, 12, 6)),
    ("large_window12_192",           12, 192, (0, 0, 0, 0)),
    ("large_window12to16_192to256",  16, 256, (12, 12, 12, 6)),
    ("large_window12to24_192to384",  24, 384, (12, 12, 12, 6)))
# fmt: on


def _member(arch: Arch, name: str, image: int, turns: tuple[tuple[Swin, Swin], ...]) -> Arch:
    """Another size of `arch`: channels double from stage to stage, and the third alone differs in depth."""
    c, layers = _SIZES[name.split("_")[0]]
    rows = zip(turns, (2, 2, layers, 2), arch.stages, strict=True)
    stages = tuple(Stage(ops, c << i, n, row.stride) for i, (ops, n, row) in enumerate(rows))
    stem = (replace(arch.stem[0], channels=c),)
    return replace(arch, name=f"{arch.name.split('_')[0]}_{name}", image=image, stem=stem, stages=stages)


ARCHS = (
    swin_tiny_patch4_window7_224,
    *(_member(swin_tiny_patch4_window7_224, name, image, (_turns(w),) * 4) for name, w, image in _V1),
    swinv2_tiny_window8_256,
    *(
        _member(swinv2_tiny_window8_256, name, image, tuple(_turns2(w, p) for p in before))
        for name, w, image, before in _V2
    ),
)
# torchvision's and the papers' names.
ALIASES = {
    **{f"swin_{size[0]}": f"swin_{size}_patch4_window7_224" for size in _SIZES},
    **{f"swin_v2_{size[0]}": f"swinv2_{size}_window8_256" for size in ("tiny", "small", "base")},
    **{f"swinv2_{size[0]}": f"swinv2_{size}_window8_256" for size in ("tiny", "small", "base")},
}
