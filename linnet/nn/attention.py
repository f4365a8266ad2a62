"""What transformers share: multi-head self-attention, the two-layer MLP, and the pre-norm encoder layer (Vaswani 2017)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from ..arch.spec import Style
from ..errors import SettingError
from .conv import DropPath, activation, added
from .undrawn import Linear


class Attention(nn.Module):
    """Multi-head self-attention over tokens, [..., N, C] -> the same (Vaswani 2017, section 3.2.2).

    `qkv` gives queries, keys and values one after another, each of them head after head, as timm and torchvision do.
    """

    def __init__(self, c: int, heads: int) -> None:
        super().__init__()
        if c % heads:
            raise SettingError(f"{heads} heads cannot share {c} channels: give a number of heads that divides them.")
        self.heads = heads
        self.qkv, self.project = Linear(c, 3 * c), Linear(c, c)

    def forward(self, x: Tensor) -> Tensor:
        # The fast kernels take exactly [B, heads, N, c / heads], in any order in memory: views will do.
        flat = x if x.ndim == 3 else x.reshape(-1, *x.shape[-2:])
        q, k, v = self.qkv(flat).unflatten(-1, (3, self.heads, -1)).transpose(1, 3).unbind(2)
        y = self.project(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return y if x.ndim == 3 else y.reshape(x.shape)

    def extra_repr(self) -> str:
        return f"heads={self.heads}"


class Mlp(nn.Module):
    """Two linear layers over the last dimension, the style's activation between them: [..., C] -> the same."""

    def __init__(self, c: int, hidden: int, style: Style) -> None:
        super().__init__()
        self.expand, self.act, self.project = Linear(c, hidden), activation(style.act), Linear(hidden, c)

    def forward(self, x: Tensor) -> Tensor:
        return self.project(self.act(self.expand(x)))


class EncoderLayer(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x)): [..., N, C] -> the same (Dosovitskiy 2021, equations 2 and 3).

    `hidden` is the width inside the MLP; activation and eps are the style's.
    """

    def __init__(self, c: int, heads: int, hidden: int, style: Style) -> None:
        super().__init__()
        self.norm1, self.attention, self.drop_path1 = nn.LayerNorm(c, eps=style.eps), Attention(c, heads), DropPath()
        self.norm2, self.mlp, self.drop_path2 = nn.LayerNorm(c, eps=style.eps), Mlp(c, hidden, style), DropPath()

    def forward(self, x: Tensor) -> Tensor:
        x = added(x, self.drop_path1(self.attention(self.norm1(x))))
        return added(x, self.drop_path2(self.mlp(self.norm2(x))))
