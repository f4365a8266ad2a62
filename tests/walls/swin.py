"""SwinV2 (Liu 2022): windows and shifted windows in turn, cosine attention, log-spaced continuous position bias."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from linnet.arch.spec import Arch, Classifier, Layer, Norm, Operator, Pool, Scaling, Stage, Style
from linnet.nn.conv import DropPath, activation
from linnet.nn.module import module

from .vit import Patchify


@dataclass(frozen=True)
class SwinV2(Operator):
    """Attention within windows, then an MLP, each normed after; a row's first layer with a stride merges patches."""

    heads: int
    window: int = 8
    shifted: bool = False
    mlp: float = 4.0
    units: ClassVar[int] = 1

    def widened(self, cin: int, wide: int, scaling: Scaling) -> SwinV2:
        return replace(self, heads=max(1, round(self.heads * wide / cin)))


def _turns(heads: int) -> tuple[SwinV2, SwinV2]:
    return SwinV2(heads), SwinV2(heads, shifted=True)


# fmt: off
swinv2_tiny = Arch("swinv2_tiny_window8_256", image=256,                                      # Liu 2022, SwinV2-T
    style=Style(act="gelu", norm="layer"), scaling=Scaling(divisor=32), source="arXiv 2111.09883, SwinV2-T",
    stem=(Stage(Patchify(),  96, 1, 4),),
    stages=(  # operator      C  n  s
        Stage(_turns( 3),    96, 2, 1),
        Stage(_turns( 6),   192, 2, 2),
        Stage(_turns(12),   384, 6, 2),
        Stage(_turns(24),   768, 2, 2)),
    head=(Norm(), Pool(), Classifier()))
# fmt: on


class PatchMerging(nn.Module):
    """2 x 2 patches into one: [B, H, W, cin] -> [B, ceil(H / 2), ceil(W / 2), cout]."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.reduce = nn.Linear(4 * layer.cin, layer.cout, bias=False)
        self.norm = nn.LayerNorm(layer.cout, eps=layer.style.eps)

    def forward(self, x: Tensor) -> Tensor:
        x = F.pad(x, (0, 0, 0, x.shape[2] % 2, 0, x.shape[1] % 2))
        parts = [x[:, i::2, j::2] for j in (0, 1) for i in (0, 1)]  # the order of the released weights
        return self.norm(self.reduce(torch.cat(parts, -1)))


class WindowAttention(nn.Module):
    """Cosine attention within windows of k x k tokens, [B * windows, k * k, C] (Liu 2022)."""

    def __init__(self, c: int, heads: int, k: int) -> None:
        super().__init__()
        self.heads, self.k = heads, k
        self.qkv, self.project = nn.Linear(c, 3 * c, bias=False), nn.Linear(c, c)
        self.q_bias, self.v_bias = nn.Parameter(torch.zeros(c)), nn.Parameter(torch.zeros(c))
        self.scale = nn.Parameter(torch.full((heads, 1, 1), math.log(10)))
        self.position = nn.Sequential(nn.Linear(2, 512), nn.ReLU(), nn.Linear(512, heads, bias=False))

    def bias(self, like: Tensor) -> Tensor:
        """[heads, k * k, k * k]: a small network of the distances, which are spaced by their logarithm."""
        k, i = self.k, torch.arange(self.k, device=like.device)
        steps = torch.arange(1 - k, k, device=like.device, dtype=like.dtype) * 8 / max(1, k - 1)
        steps = steps.sign() * (steps.abs() + 1).log2() / 3
        table = self.position(torch.stack(torch.meshgrid(steps, steps, indexing="ij"), -1))  # [2k-1, 2k-1, heads]
        away = i[:, None] - i + k - 1
        table = table[away[:, None, :, None], away[None, :, None, :]]  # [k, k, k, k, heads]
        return 16 * table.flatten(2, 3).flatten(0, 1).permute(2, 0, 1).sigmoid()

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        bias = torch.cat([self.q_bias, torch.zeros_like(self.q_bias), self.v_bias])
        qkv = F.linear(x, self.qkv.weight, bias).unflatten(-1, (3, self.heads, -1))
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # [B * windows, heads, k * k, c / heads]
        scores = F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).transpose(-1, -2)
        scores = scores * self.scale.clamp(max=math.log(100)).exp() + self.bias(x)
        if mask is not None:
            scores = (scores.unflatten(0, (-1, len(mask))) + mask[:, None]).flatten(0, 1)
        return self.project((scores.softmax(-1) @ v).transpose(1, 2).flatten(2))


class SwinLayer(nn.Module):
    """[B, cin, H, W] -> [B, cout, ceil(H / stride), ...]; a map that windows do not divide is padded with zeros."""

    def __init__(self, op: SwinV2, layer: Layer) -> None:
        super().__init__()
        c, eps, k = layer.cout, layer.style.eps, min(op.window, *layer.out_size)
        # A window that covers the map has nowhere to shift to.
        self.k, self.shift = k, k // 2 if op.shifted and k < min(layer.out_size) else 0
        self.merge = PatchMerging(layer) if layer.stride > 1 else nn.Identity()
        self.attention, self.norm1 = WindowAttention(c, op.heads, k), nn.LayerNorm(c, eps=eps)
        self.mlp = nn.Sequential(
            nn.Linear(c, int(c * op.mlp)), activation(layer.style.act), nn.Linear(int(c * op.mlp), c)
        )
        self.norm2, self.drop_path = nn.LayerNorm(c, eps=eps), DropPath()

    def forward(self, x: Tensor) -> Tensor:
        x = self.merge(x.permute(0, 2, 3, 1))
        x = x + self.drop_path(self.norm1(self.attend(x)))
        x = x + self.drop_path(self.norm2(self.mlp(x)))
        return x.permute(0, 3, 1, 2)

    def attend(self, x: Tensor) -> Tensor:
        h, w = x.shape[1:3]
        x = F.pad(x, (0, 0, 0, -w % self.k, 0, -h % self.k))
        x = torch.roll(x, (-self.shift, -self.shift), (1, 2))
        y = self.attention(windows(x, self.k), self.mask(x) if self.shift else None)
        rows, columns = x.shape[1] // self.k, x.shape[2] // self.k
        y = (
            y.unflatten(1, (self.k, self.k))
            .unflatten(0, (-1, rows, columns))
            .transpose(2, 3)
            .flatten(3, 4)
            .flatten(1, 2)
        )
        return torch.roll(y, (self.shift, self.shift), (1, 2))[:, :h, :w]

    def mask(self, x: Tensor) -> Tensor:
        """[windows, k * k, k * k]: -100 between tokens that only the roll has brought together."""

        def part(n: int) -> Tensor:  # 0, 1 or 2: which stretch of the unrolled map a row of the rolled one comes from
            i = torch.arange(n, device=x.device)
            return (i >= n - self.k).long() + (i >= n - self.shift).long()

        parts = part(x.shape[1])[:, None] * 3 + part(x.shape[2])
        of_window = windows(parts[None, :, :, None], self.k).squeeze(-1)
        return (of_window[:, :, None] != of_window[:, None]).to(x.dtype) * -100


def windows(x: Tensor, k: int) -> Tensor:
    """[B, H, W, C] -> [B * H / k * W / k, k * k, C]."""
    return x.unflatten(2, (-1, k)).unflatten(1, (-1, k)).transpose(2, 3).flatten(3, 4).flatten(0, 2)


@module.register
def _(op: SwinV2, layer: Layer) -> nn.Module:
    return SwinLayer(op, layer)
