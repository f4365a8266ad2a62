"""Vision transformers (Dosovitskiy 2021) and DeiT (Touvron 2021), whose two small sizes ViT took over (Steiner 2022)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from ..errors import SettingError
from .scale import Scaling
from .spec import Arch, Classifier, Dropout, Norm, Operator, Pool, Size, Stage, Style


@dataclass(frozen=True)
class Patchify(Operator):
    """A convolution over patches that do not overlap; their side is the row's stride. `norm` adds a LayerNorm.

    Images must be whole patches; with `ragged` the pixels right and below that fill none are left out instead.
    """

    norm: bool = True
    ragged: bool = False

    def out_size(self, size: Size, stride: int, dilation: int) -> Size:
        """Raises SettingError that names the nearest sides for one that is no multiple of the patch."""
        if stride == 1:
            raise SettingError(
                "Patches of one pixel: a row of Patchify needs a stride above 1, which is the patch's side."
                " It has no dilated form, so build the network without output_stride."
            )
        for n in size:
            if n < stride or (n % stride and not self.ragged):
                less = n // stride * stride
                allowed = f"{less} or {less + stride}" if less else f"{stride} or a multiple of it"
                raise SettingError(
                    f"An image side of {n} pixels is not whole patches of {stride} x {stride}: take {allowed}."
                )
        return tuple(n // stride for n in size)


@dataclass(frozen=True)
class Tokens(Operator):
    """From a map to tokens with learned positions, `before` tokens in front of the patches: class, distillation."""

    before: int = 1

    def __post_init__(self) -> None:
        if self.before not in (0, 1, 2):
            raise SettingError(
                f"Tokens(before={self.before}): in front may be 0, 1 (class) or 2 (class and distillation) tokens."
            )

    def out_size(self, size: Size, stride: int, dilation: int) -> Size:
        return (self.before + size[0] * size[1],)


@dataclass(frozen=True)
class Encoder(Operator):
    """A pre-norm transformer layer over tokens; `mlp` is the MLP's width as a multiple of the channels."""

    heads: int
    mlp: float = 4.0
    units: ClassVar[int] = 2  # attention and MLP

    def __post_init__(self) -> None:
        if not self.mlp > 0:
            raise SettingError(f"Encoder(mlp={self.mlp}): this is its width as a multiple of the channels; give 4.")

    def widened(self, cin: int, wide: int, scaling: Scaling) -> Encoder:
        return replace(self, heads=max(1, round(self.heads * wide / cin)))  # a head keeps its 64 channels


# fmt: off
vit_base_patch16_224 = Arch("vit_base_patch16_224", image=224,                            # Dosovitskiy 2021, Table 1
    style=Style(act="gelu", norm="layer", eps=1e-6), scaling=Scaling(divisor=64), init="trunc",
    source="arXiv 2010.11929, Table 1 and section 3.1",
    stem=(  #     operator        channels layers stride
        Stage(Patchify(norm=False),   768,  1, 16),
        Stage(Tokens(before=1),       768,  1,  1)),
    stages=(
        Stage(Encoder(heads=12),      768, 12,  1),),
    head=(Norm(), Pool("token"), Dropout(), Classifier()))

vit_large_patch16_224 = replace(vit_base_patch16_224, name="vit_large_patch16_224",        # Dosovitskiy 2021, Table 1
    stem=(
        Stage(Patchify(norm=False),  1024,  1, 16),
        Stage(Tokens(before=1),      1024,  1,  1)),
    stages=(
        Stage(Encoder(heads=16),     1024, 24,  1),))

vit_small_patch16_224 = replace(vit_base_patch16_224, name="vit_small_patch16_224",        # Touvron 2021, Table 1
    source="arXiv 2012.12877, Table 1; trained as ViT-S by Steiner 2022, arXiv 2106.10270",
    stem=(
        Stage(Patchify(norm=False),   384,  1, 16),
        Stage(Tokens(before=1),       384,  1,  1)),
    stages=(
        Stage(Encoder(heads=6),       384, 12,  1),))

vit_tiny_patch16_224 = replace(vit_base_patch16_224, name="vit_tiny_patch16_224",          # Touvron 2021, Table 1
    source="arXiv 2012.12877, Table 1; trained as ViT-Ti by Steiner 2022, arXiv 2106.10270",
    stem=(
        Stage(Patchify(norm=False),   192,  1, 16),
        Stage(Tokens(before=1),       192,  1,  1)),
    stages=(
        Stage(Encoder(heads=3),       192, 12,  1),))
# fmt: on


def _with(arch: Arch, name: str, *, image: int = 224, patch: int = 16, source: str = "") -> Arch:
    """The same table for another image or patch: only positions and the first convolution change."""
    cut, tokens = arch.stem
    return replace(
        arch, name=name, image=image, stem=(replace(cut, stride=patch), tokens), source=source or arch.source
    )


def _distilled(arch: Arch) -> Arch:
    """A second token in front, which learns from the teacher, with a classifier of its own (Touvron 2021, section 4)."""
    cut, tokens = arch.stem
    return replace(
        arch,
        name=arch.name.replace("_patch16", "_distilled_patch16"),
        stem=(cut, replace(tokens, op=Tokens(before=2))),
        head=(Norm(), Pool("token", tokens=2), Dropout(), Classifier(heads=2)),
        source=f"{arch.source} and section 4",
    )


_SIXTEEN = (vit_tiny_patch16_224, vit_small_patch16_224, vit_base_patch16_224, vit_large_patch16_224)
_vit = tuple(
    _with(arch, arch.name.replace("patch16_224", f"patch{patch}_{image}"), image=image, patch=patch)
    for arch in _SIXTEEN
    for patch in ((16,) if arch is vit_tiny_patch16_224 else (16, 32))  # there is no Ti/32
    for image in (224, 384)
)

# DeiT is ViT trained otherwise (Touvron 2021, Table 1): DeiT-B is ViT-B.
_deit = tuple(
    _with(arch, arch.name.replace("vit_", "deit_"), source="arXiv 2012.12877, Table 1") for arch in _SIXTEEN[:3]
)
_deit = (*_deit, _with(_deit[2], "deit_base_patch16_384", image=384))

ARCHS: tuple[Arch, ...] = (*_vit, *_deit, *(_distilled(arch) for arch in _deit))

# torchvision's (vit_b_16) and the papers' (ViT-B/16, DeiT-Ti).
_PAPER = {"ti": "tiny", "s": "small", "b": "base", "l": "large"}
_SIZES = [("ti", 16), *((size, patch) for size in ("s", "b", "l") for patch in (16, 32))]
ALIASES: dict[str, str] = {
    **{f"vit_{s}{by}{p}": f"vit_{_PAPER[s]}_patch{p}_224" for s, p in _SIZES for by in ("_", "/")},
    **{f"deit_{s}": f"deit_{_PAPER[s]}_patch16_224" for s in ("ti", "s", "b")},
}
