"""RepViT (Wang 2024): re-parameterised depthwise token mixers, SE in every other block, two averaged classifiers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from linnet.arch.scale import round_channels
from linnet.arch.spec import Arch, Classifier, Conv, Dropout, Layer, Operator, Pool, Stage, Style
from linnet.nn.conv import ConvNorm, DropPath, Heads, SqueezeExcite, norm
from linnet.nn.module import module


@dataclass(frozen=True)
class RepViT(Operator):
    """Token mixer (depthwise 3 x 3, 1 x 1 and identity), [SE], and a channel mixer that doubles the width."""

    se: bool = False
    units: ClassVar[int] = 1


@dataclass(frozen=True)
class RepDown(Operator):
    """Between stages: a block without SE, depthwise 3 x 3 with the stride, 1 x 1, channel mixer."""

    units: ClassVar[int] = 1


@dataclass(frozen=True)
class NormClassifier(Classifier):
    """A batch norm before each linear layer."""


_turns = (RepViT(se=True), RepViT())

# fmt: off
repvit_m1_0 = Arch("repvit_m1_0", image=224,                                                  # Wang 2024, RepViT-M1.0
    style=Style(act="gelu"), source="arXiv 2307.09283; rows as in timm repvit.py, repvit_m1_0",
    stem=(Stage(Conv(k=3),                   28,  1, 2),
          Stage(Conv(k=3, act="identity"),   56,  1, 2)),
    stages=(  # operator                      C  n  s
        Stage(_turns,     56,  2, 1),
        Stage(RepDown(), 112,  1, 2),
        Stage(_turns,    112,  2, 1),
        Stage(RepDown(), 224,  1, 2),
        Stage(_turns,    224, 14, 1),
        Stage(RepDown(), 448,  1, 2),
        Stage(_turns,    448,  2, 1)),
    head=(Pool(), Dropout(), NormClassifier(heads=2)))
# fmt: on


class TokenMixer(nn.Module):
    """Three branches that fold into one depthwise 3 x 3: [B, C, H, W] -> the same."""

    def __init__(self, c: int, style: Style) -> None:
        super().__init__()
        self.depthwise = ConvNorm(c, c, 3, style, groups=c, act="identity")
        self.pointwise = nn.Conv2d(c, c, 1, groups=c)
        self.norm = norm(c, style)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.depthwise(x) + self.pointwise(x) + x)


class ChannelMixer(nn.Module):
    """x + project(expand(x)), twice as wide inside."""

    def __init__(self, c: int, style: Style) -> None:
        super().__init__()
        self.expand, self.project = ConvNorm(c, 2 * c, 1, style), ConvNorm(2 * c, c, 1, style, act="identity")
        self.drop_path = DropPath()

    def forward(self, x: Tensor) -> Tensor:
        return x + self.drop_path(self.project(self.expand(x)))


class RepViTBlock(nn.Module):
    """[B, C, H, W] -> the same; token mixer and channel mixer apart."""

    def __init__(self, c: int, style: Style, *, se: bool) -> None:
        super().__init__()
        self.token_mixer = TokenMixer(c, style)
        self.gate = SqueezeExcite(c, round_channels(c / 4), act="relu") if se else nn.Identity()
        self.channel_mixer = ChannelMixer(c, style)

    def forward(self, x: Tensor) -> Tensor:
        return self.channel_mixer(self.gate(self.token_mixer(x)))


class RepViTDownsample(nn.Module):
    """[B, cin, H, W] -> [B, cout, ceil(H / stride), ...]."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        c, style = layer.cin, layer.style
        self.block = RepViTBlock(c, style, se=False)
        self.depthwise = ConvNorm(c, c, 3, style, stride=layer.stride, groups=c, act="identity")
        self.project = ConvNorm(c, layer.cout, 1, style, act="identity")
        self.channel_mixer = ChannelMixer(layer.cout, style)

    def forward(self, x: Tensor) -> Tensor:
        return self.channel_mixer(self.project(self.depthwise(self.block(x))))


@module.register
def _(op: RepViT, layer: Layer) -> nn.Module:
    return RepViTBlock(layer.cout, layer.style, se=op.se)


@module.register
def _(op: RepDown, layer: Layer) -> nn.Module:
    return RepViTDownsample(layer)


@module.register
def _(op: NormClassifier, layer: Layer) -> nn.Module:
    if not op.classes:
        return nn.Identity()
    return Heads(
        nn.Sequential(norm(layer.cin, layer.style, flat=True), nn.Linear(layer.cin, op.classes))
        for _ in range(op.heads)
    )
