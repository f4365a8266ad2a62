"""The papers' tables of steps: one change to a network after another, each to be built, with what the paper says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..errors import SettingError, did_you_mean
from .convnext import ROAD
from .efficientnet import FusedMBConv, efficientnet_b0
from .mobilenet import Bneck, MBConv, mobilenetv3_large_100
from .mobilevit import MobileViT, mobilevit_s
from .names import find
from .spec import Arch, Classifier, Conv, Dropout, Pool, Stage


@dataclass(frozen=True)
class Step:
    """A network, and the paper's figures for it; None where the paper gives none."""

    name: str
    arch: Arch
    top1: float | None = None  # per cent of ImageNet's validation images
    gmadds: float | None = None  # 10^9; what the papers call FLOPs are multiply-adds
    params: float | None = None  # millions
    latency_ms: float | None = None  # the note says on what


@dataclass(frozen=True)
class Steps:
    """A table of steps. Its note says what the paper leaves open, and which of its figures do not come out."""

    title: str
    source: str
    rows: tuple[Step, ...]
    note: str


def find_steps(name: str) -> Steps:
    """The table of steps of that name.

    Raises SettingError with the nearest names when there is none.

    >>> find_steps("convnext").rows[-1].arch.name
    'convnext_tiny'
    """
    plain = name.lower().replace("_", "-")
    if plain in STEPS:
        return STEPS[plain]
    raise SettingError(
        f"There are no steps called {name!r}; choose one of {', '.join(STEPS)}.{did_you_mean(plain, STEPS)}"
    )


# -- ResNet-50 to ConvNeXt-T ---------------------------------------------------------------------------------------
# fmt: off
_CONVNEXT = (  # Liu 2022, Table 10           top-1  GFLOPs
    ("ResNet-50, PyTorch's recipe",           76.13, 4.09),
    ("ConvNeXt's recipe",                     78.82, 4.09),
    ("stage ratio 3, 3, 9, 3",                79.36, 4.53),
    ("patchify stem",                         79.51, 4.42),
    ("depthwise convolution",                 78.28, 2.35),
    ("width 96",                              80.50, 5.27),
    ("inverted bottleneck",                   80.64, 4.64),
    ("depthwise moved up",                    79.92, 4.07),
    ("kernel 5",                              80.35, 4.10),
    ("kernel 7",                              80.57, 4.15),
    ("kernel 9",                              80.57, 4.21),
    ("kernel 11",                             80.47, 4.29),
    ("kernel 7, ReLU to GELU",                80.62, 4.15),
    ("fewer activations",                     81.27, 4.15),
    ("fewer norms",                           81.41, 4.15),
    ("BatchNorm to LayerNorm",                81.47, 4.46),
    ("downsampling layers: ConvNeXt-T",       81.97, 4.49),
)
# fmt: on
convnext = Steps(
    "From ResNet-50 to ConvNeXt-T",
    "arXiv 2201.03545, Table 10; means of 3 seeds",
    tuple(Step(name, arch, *said) for (name, *said), arch in zip(_CONVNEXT, (ROAD[0], *ROAD), strict=True)),
    "The paper's GFLOPs are multiply-adds. They come out to its two digits in every row but the last two: LayerNorm in"
    " BatchNorm's place adds none, and the 4.46 printed there is what the last row counts, where 4.49 is printed."
    " The paper leaves open when the stem's activation goes (here with the blocks'), and what becomes of the stem's and"
    " the shortcuts' norms (here they stay until the last step) and of layer scale (here it comes with the last step).",
)

# -- MobileNetV3's first and last layers ---------------------------------------------------------------------------
# 32 filters, and a first block on all of them, as MobileNetV2 has; which of ReLU and swish makes no difference in cost.
_wide_stem = replace(
    mobilenetv3_large_100,
    name="mobilenetv3_large_32_filters",
    stem=(Stage(Conv(k=3, act="relu"), 32, 1, 2),),
    stages=(Stage(Bneck(32, 3, nl="RE"), 16), *mobilenetv3_large_100.stages[1:]),
    source="arXiv 1905.02244v5, section 5.1",
)
_long_end = replace(
    _wide_stem,
    name="mobilenetv3_large_original_last_stage",
    stages=(*_wide_stem.stages, Stage(Bneck(960, 3, nl="HS"), 320)),
    head=(Conv(1280, k=1), Pool(), Dropout(), Classifier()),
    taps=(),
    source="arXiv 1905.02244v5, Figure 5",
)
mobilenetv3 = Steps(
    "MobileNetV3-Large: its expensive layers redesigned",
    "arXiv 1905.02244v5, section 5.1 and Figure 5",
    (
        Step("original last stage, 32 filters", _long_end),
        Step("efficient last stage", _wide_stem),
        Step("16 filters, hard swish", mobilenetv3_large_100, 75.2, 0.219),
    ),
    "The paper gives differences: the efficient last stage saves 7 ms (11 % of the time) and 30 M multiply-adds with"
    " almost no loss of accuracy; 16 filters with hard swish save 2 ms and 10 M more at the accuracy of 32 with ReLU or"
    " swish. Counted, the first saves 34 M and the second 10 M, and the last row has 217 M where the paper says 219."
    " The milliseconds are those of a Pixel phone.",
)


# -- EfficientNet-B4 with fused blocks -----------------------------------------------------------------------------
def _fused(stages: int) -> Arch:
    """B4 with its first `stages` stages of MBConv (the paper's 1 to 7) made Fused-MBConv of the same kernel."""
    b4 = find("efficientnet_b4")

    def fused(stage: Stage) -> Stage:
        assert isinstance(stage.op, MBConv)
        return replace(stage, op=FusedMBConv(t=stage.op.t, k=stage.op.k))

    rows = tuple(fused(stage) if i < stages else stage for i, stage in enumerate(b4.stages))
    return replace(b4, name=f"efficientnet_b4_fused{stages}", stages=rows, source="arXiv 2104.00298, Table 3")


fused = Steps(
    "EfficientNet-B4 with Fused-MBConv",
    "arXiv 2104.00298, Table 3",
    (
        Step("no fused", find("efficientnet_b4"), 82.8, 4.5, 19.3),
        Step("fused stages 1 to 3", _fused(3), 83.1, 7.5, 20.0),
        Step("fused stages 1 to 5", _fused(5), 83.1, 21.3, 43.4),
        Step("fused stages 1 to 7", _fused(7), 81.7, 34.4, 132.0),
    ),
    "The paper's FLOPs are multiply-adds. It says neither which kernels the fused blocks have nor whether they keep"
    " squeeze-and-excitation. With B4's own kernels and without it, parameters come within 0.2 M, but for stages 1 to 3"
    " (0.9 M more), and multiply-adds within 8 %, but for the same (29 % more). With kernels of 3 that row comes out (19.9 M,"
    " 7.3 G), and the last counts half of its parameters.",
)

# -- EfficientNet-B0 scaled in one dimension and in all ------------------------------------------------------------
compound = Steps(
    "EfficientNet-B0 scaled",
    "arXiv 1905.11946v5, Table 7",
    (
        Step("EfficientNet-B0", efficientnet_b0, 77.3, 0.4),
        Step("depth 4", efficientnet_b0.scaled("efficientnet_b0_depth4", depth=4), 79.0, 1.8),
        Step("width 2", efficientnet_b0.scaled("efficientnet_b0_width2", width=2), 78.9, 1.8),
        Step("resolution 2", efficientnet_b0.scaled("efficientnet_b0_image448", image=448), 79.1, 1.9),
        Step(
            "depth 1.4, width 1.2, resolution 1.3",
            efficientnet_b0.scaled("efficientnet_b0_compound", depth=1.4, width=1.2, image=round(224 * 1.3)),
            81.1,
            1.8,
        ),
    ),
    "The paper's FLOPs are multiply-adds. B0 and the compound row come out; the three scaled in one dimension count 12"
    " to 20 % less than the paper prints, with B0's rules of rounding.",
)


# -- MobileViT's patches -------------------------------------------------------------------------------------------
def _patched(*patches: int) -> Arch:
    """MobileViT-S with the patches of its maps of 32, 16 and 8 pixels."""
    sizes = iter(patches)
    rows = tuple(
        replace(stage, op=replace(stage.op, patch=next(sizes))) if isinstance(stage.op, MobileViT) else stage
        for stage in mobilevit_s.stages
    )
    return replace(mobilevit_s, name="mobilevit_s_patch" + "_".join(map(str, patches)), stages=rows)


mobilevit_patch = Steps(
    "MobileViT-S: sizes of the patches",
    "arXiv 2110.02178, Table 6",
    (
        Step("2, 2, 2", mobilevit_s, 78.4, params=5.7, latency_ms=9.85),
        Step("3, 3, 3", _patched(3, 3, 3), 78.5, params=5.7, latency_ms=14.69),
        Step("4, 4, 4", _patched(4, 4, 4), 77.6, params=5.7, latency_ms=8.23),
        Step("8, 4, 2", _patched(8, 4, 2), 77.3, params=5.7, latency_ms=8.20),
    ),
    "Patches of the maps of 32, 16 and 8 pixels. Those of 3 do not divide the maps, which are resized for them. Times on"
    " an iPhone 12's neural engine. The paper says that attention costs the same in all rows; counted, it falls with the"
    " number of patches, since a pixel attends to those at its place in every other patch. The paper prints 5.7 M"
    " parameters; its released weights have 5.58 M.",
)

STEPS: Mapping[str, Steps] = {
    "convnext": convnext,
    "mobilenetv3": mobilenetv3,
    "fused": fused,
    "compound": compound,
    "mobilevit-patch": mobilevit_patch,
}
