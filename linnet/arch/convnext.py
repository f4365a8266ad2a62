"""ConvNeXt (Liu 2022), and the networks on the road to it from ResNet-50 (the same, section 2)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from .spec import Arch, Classifier, Conv, Dropout, MaxPool, Norm, Operator, Pool, Size, Stage, Style


@dataclass(frozen=True)
class ConvNeXt(Operator):
    """Depthwise k x k, LayerNorm, 1 x 1 to four times as many, GELU, 1 x 1 back, layer scale (Liu 2022, Figure 4).

    A layer that has a stride or changes the channels first downsamples: LayerNorm, then 2 x 2 without padding.
    """

    k: int = 7
    units: ClassVar[int] = 1

    def out_size(self, size: Size, stride: int, dilation: int) -> Size:
        return size if stride == 1 else tuple((n - 2) // stride + 1 for n in size)


@dataclass(frozen=True)
class RoadmapBlock(Operator):
    """Every residual block between ResNet's bottleneck and ConvNeXt's (Liu 2022, section 2, Figures 3 and 4).

    Two 1 x 1 and a k x k, `t` times the row's channels wide inside: 1/4 is a bottleneck, 4 an inverted one. The k x k
    has the stride; it stands between the two or, `moved` up, before them on the channels that come in. A projection is
    in the shortcut where the shape changes, as in ResNet.
    """

    t: float
    k: int = 3
    depthwise: bool = False
    moved: bool = False
    one_act: bool = False  # between the two 1 x 1 alone: not behind the k x k, nor behind the sum
    one_norm: bool = False  # behind the k x k alone, which then is before the 1 x 1
    units: ClassVar[int] = 1

    def inner(self, channels: int) -> int:
        """Channels between the two 1 x 1 in a row of `channels`.

        >>> RoadmapBlock(t=1 / 4).inner(256), RoadmapBlock(t=4).inner(96)
        (64, 384)
        """
        return max(1, round(channels * self.t))


# fmt: off
convnext_tiny = Arch("convnext_tiny", image=224,                                           # Liu 2022, section 3
    style=Style(act="gelu", norm="layer", eps=1e-6), init="trunc", source="arXiv 2201.03545, section 3 and Table 9",
    stem=(Stage(Conv(k=4, pad=0, act="identity"), 96, 1, 4),),
    stages=(  # operator  channels layers stride
        Stage(ConvNeXt(),       96,  3, 1),
        Stage(ConvNeXt(),      192,  3, 2),
        Stage(ConvNeXt(),      384,  9, 2),
        Stage(ConvNeXt(),      768,  3, 2)),
    head=(Pool(), Norm("layer"), Dropout(), Classifier()))

# C and B of the paper's list: channels of each stage, and layers.
_SIZES = {
    "convnext_small":  (( 96, 192,  384,  768), (3, 3, 27, 3)),
    "convnext_base":   ((128, 256,  512, 1024), (3, 3, 27, 3)),
    "convnext_large":  ((192, 384,  768, 1536), (3, 3, 27, 3)),
    "convnext_xlarge": ((256, 512, 1024, 2048), (3, 3, 27, 3)),
}
# fmt: on


def _sized(name: str, channels: tuple[int, ...], layers: tuple[int, ...]) -> Arch:
    rows = zip(convnext_tiny.stages, channels, layers, strict=True)
    return replace(
        convnext_tiny,
        name=name,
        stem=(replace(convnext_tiny.stem[0], channels=channels[0]),),
        stages=tuple(replace(stage, channels=c, layers=n) for stage, c, n in rows),
    )


ARCHS = (convnext_tiny, *(_sized(name, *size) for name, size in _SIZES.items()))

ALIASES = {
    name: f"convnext_{size}"
    for size in ("tiny", "small", "base", "large", "xlarge")
    for name in (f"convnext{size}", f"convnext_{size[: 2 if size == 'xlarge' else 1]}")
}  # Keras', and the paper's: ConvNeXt-T to ConvNeXt-XL


# -- the road from ResNet-50 ---------------------------------------------------------------------------------------
_relu, _gelu = Style(act="relu"), Style(act="gelu")


def _road(step: str, block: RoadmapBlock, channels: int, layers: tuple[int, ...] = (3, 3, 9, 3), *,
          stem: tuple[Stage, ...], style: Style = _relu) -> Arch:  # fmt: skip
    """`channels` are those of the first stage; each of the others has twice as many as the one before."""
    stages = tuple(Stage(block, channels * 2**i, n, 2 if i else 1) for i, n in enumerate(layers))
    head = (Pool(), Dropout(), Classifier())
    return Arch(f"roadmap_{step}", 224, stem, stages, head, style, source="arXiv 2201.03545, section 2")


_resnet = (Stage(Conv(k=7), 64, 1, 2), Stage(MaxPool(), 0, 1, 2))
_patchify64, _patchify96 = (Stage(Conv(k=4, pad=0), 64, 1, 4),), (Stage(Conv(k=4, pad=0), 96, 1, 4),)
_linear = (Stage(Conv(k=4, pad=0, act="identity"), 96, 1, 4),)

# The paper's Table 10 has the steps and their accuracies (linnet.arch.steps). It leaves open what becomes of the stem's
# and the shortcuts' norms and of the stem's activation: the norms stay until the last step, which has its own; the
# activation goes with those of the blocks. Layer scale comes with the last step, too.
# fmt: off
_bottleneck = RoadmapBlock(t=1 / 4)
_thin       = RoadmapBlock(t=1 / 4, depthwise=True)
_inverted   = RoadmapBlock(t=4, depthwise=True)
_moved      = RoadmapBlock(t=4, depthwise=True, moved=True)
_one_act    = replace(_moved, k=7, one_act=True)
_one_norm   = replace(_one_act, one_norm=True)

ROAD = (  #  step             block                  channels layers
    _road("resnet50",         _bottleneck,                256, (3, 4, 6, 3), stem=_resnet),
    _road("stage_ratio",      _bottleneck,                256, (3, 3, 9, 3), stem=_resnet),
    _road("patchify",         _bottleneck,                256, stem=_patchify64),
    _road("depthwise",        _thin,                      256, stem=_patchify64),
    _road("width",            _thin,                      384, stem=_patchify96),
    _road("inverted",         _inverted,                   96, stem=_patchify96),
    _road("moved",            _moved,                      96, stem=_patchify96),
    _road("kernel5",          replace(_moved, k=5),        96, stem=_patchify96),
    _road("kernel7",          replace(_moved, k=7),        96, stem=_patchify96),
    _road("kernel9",          replace(_moved, k=9),        96, stem=_patchify96),
    _road("kernel11",         replace(_moved, k=11),       96, stem=_patchify96),
    _road("gelu",             replace(_moved, k=7),        96, stem=_patchify96, style=_gelu),
    _road("fewer_acts",       _one_act,                    96, stem=_linear, style=_gelu),
    _road("fewer_norms",      _one_norm,                   96, stem=_linear, style=_gelu),
    _road("layer_norm",       _one_norm,                   96, stem=_linear, style=convnext_tiny.style),
    convnext_tiny)
# fmt: on
