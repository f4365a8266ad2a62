"""Modules of Swin (Liu 2021) and Swin V2 (Liu 2022)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from ..arch.spec import Layer
from ..arch.swin import Swin, SwinV2
from .attention import Mlp
from .conv import DropPath, added
from .module import module
from .undrawn import Linear
from .window import CosineAttention, WindowAttention


class PatchMerging(nn.Module):
    """2 x 2 pixels into one, [B, H, W, cin] -> [B, ceil(H / 2), ceil(W / 2), cout]; normed before, or `after`."""

    def __init__(self, layer: Layer, *, after: bool) -> None:
        super().__init__()
        self.after = after
        self.norm = nn.LayerNorm(layer.cout if after else 4 * layer.cin, eps=layer.style.eps)
        self.reduce = Linear(4 * layer.cin, layer.cout, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[1] % 2 or x.shape[2] % 2:
            x = F.pad(x, (0, 0, 0, x.shape[2] % 2, 0, x.shape[1] % 2))
        x = x.unflatten(2, (-1, 2)).unflatten(1, (-1, 2))  # [B, H / 2, 2, W / 2, 2, C]
        x = x.permute(0, 1, 3, 4, 2, 5).flatten(3)  # across, then down, then C: the order of the released weights
        return self.norm(self.reduce(x)) if self.after else self.reduce(self.norm(x))


class SwinLayer(nn.Module):
    """Attention within windows, then an MLP: [B, cin, H, W] -> [B, cout, ceil(H / stride), ...] (Liu 2021, Figure 3b).

    Each is normed before (Swin), or after (V2: Liu 2022, section 3.2). Inside, maps are [B, H, W, C], which is how a
    map in channels-last order lies in memory.
    """

    def __init__(self, op: Swin, layer: Layer) -> None:
        super().__init__()
        c, eps, heads = layer.cout, layer.style.eps, op.heads(layer.cout)
        window, shift = op.windows(layer.out_size)
        self.op, self.stride, self.after = op, layer.stride, isinstance(op, SwinV2)
        self.merge = PatchMerging(layer, after=self.after) if op.merges(layer) else nn.Identity()
        if isinstance(op, SwinV2):
            self.attention = CosineAttention(c, heads, window, shift, op.pretrained)
        else:
            self.attention = WindowAttention(c, heads, window, shift)
        self.norm1, self.drop_path1 = nn.LayerNorm(c, eps=eps), DropPath()
        self.mlp = Mlp(c, int(c * op.mlp), layer.style)
        self.norm2, self.drop_path2 = nn.LayerNorm(c, eps=eps), DropPath()
        if self.after:  # so that a new layer adds nothing (released code: _init_respostnorm)
            nn.init.zeros_(self.norm1.weight)
            nn.init.zeros_(self.norm2.weight)

    def forward(self, x: Tensor) -> Tensor:
        x = self.merge(x.permute(0, 2, 3, 1).contiguous())
        if self.after:
            x = added(x, self.drop_path1(self.norm1(self.attention(x))))
            x = added(x, self.drop_path2(self.norm2(self.mlp(x))))
        else:
            x = added(x, self.drop_path1(self.attention(self.norm1(x))))
            x = added(x, self.drop_path2(self.mlp(self.norm2(x))))
        return x.permute(0, 3, 1, 2)

    def set_size(self, size: tuple[int, int]) -> None:
        """The layer's input is [B, cin, *size] from here on: a window no larger than the map, shifted if it is smaller.

        Without it a layer keeps the windows that it was built with, at any size.
        """
        self.attention.set_window(*self.windows(size))

    def fit_size(self, size: tuple[int, int]) -> None:
        """The same for a while: windows of the layer's own size or smaller, and nothing that is learned changes."""
        self.attention.fit_window(*self.windows(size))

    def windows(self, size: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
        h, w = size
        return self.op.windows((-(-h // self.stride), -(-w // self.stride)))


@module.register
def _(op: Swin, layer: Layer) -> nn.Module:
    return SwinLayer(op, layer)


@module.register
def _(op: SwinV2, layer: Layer) -> nn.Module:
    return SwinLayer(op, layer)
