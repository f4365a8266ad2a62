"""Modules of vision transformers (Dosovitskiy 2021) and DeiT (Touvron 2021): patches, tokens with positions, encoder."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..arch.spec import Layer
from ..arch.vit import Encoder, Patchify, Tokens
from .attention import EncoderLayer
from .conv import LayerNorm
from .module import module
from .undrawn import Conv2d

Size = tuple[int, int]  # height and width of a map


class PatchConv(Conv2d):
    """Patches of k x k pixels, normed over their channels: [B, cin, H, W] -> [B, cout, H / k, W / k].

    Raises SettingError for images that are not whole patches.
    """

    def __init__(self, op: Patchify, layer: Layer) -> None:
        super().__init__(layer.cin, layer.cout, layer.stride, layer.stride)
        self.op = op
        self.norm = LayerNorm(layer.cout, eps=layer.style.eps) if op.norm else nn.Identity()

    def forward(self, input: Tensor) -> Tensor:
        if not torch.compiler.is_compiling():  # a height or width left open in an export must stay so
            self.op.out_size(tuple(input.shape[2:]), self.stride[0], 1)
        return self.norm(super().forward(input))


class Positions(nn.Module):
    """A map [B, C, h, w] to tokens [B, before + h * w, C] in rows, each with the position learned for it.

    Maps of another size than the network's own get positions resized to it (Dosovitskiy 2021, section 3.2).
    """

    class_token: nn.Parameter | None
    distillation_token: nn.Parameter | None

    def __init__(self, op: Tokens, layer: Layer) -> None:
        super().__init__()
        h, w = layer.size
        self.size, self.before = (h, w), op.before
        for i, name in enumerate(("class_token", "distillation_token")):
            self.register_parameter(name, nn.Parameter(torch.empty(1, 1, layer.cout)) if i < op.before else None)
        self.positions = nn.Parameter(torch.empty(1, *layer.output_shape))
        for p in self.parameters():
            nn.init.trunc_normal_(p, std=0.02)
        self._kept: tuple[tuple[object, ...], Tensor] | None = None

    def forward(self, x: Tensor) -> Tensor:
        positions = self.sized((x.shape[2], x.shape[3]))
        tokens = [p.expand(x.shape[0], -1, -1) for p in (self.class_token, self.distillation_token) if p is not None]
        x = x.flatten(2).transpose(1, 2)
        return (torch.cat([*tokens, x], 1) if tokens else x) + positions

    def sized(self, size: Size) -> Tensor:
        """The positions for a map of this size, [1, before + h * w, C].

        Outside training those of the last other size are kept until the parameter changes.
        """
        own = self.positions
        if size == self.size:
            return own
        learns = torch.is_grad_enabled() and own.requires_grad
        if learns or torch.compiler.is_compiling() or own.is_inference():  # what inference made counts no changes
            return resize_positions(own, self.before, self.size, size)
        now = (size, own._version, own.data_ptr(), own.dtype, own.device)
        if self._kept is None or self._kept[0] != now:
            self._kept = now, resize_positions(own.detach(), self.before, self.size, size)
        return self._kept[1]

    def set_size(self, size: Size) -> None:
        """From here on the network's own size is `size`: the learned positions themselves are resized to it."""
        if size == self.size:
            return
        own = self.positions
        with torch.no_grad():
            resized = resize_positions(own, self.before, self.size, size)
        self.positions = nn.Parameter(resized, requires_grad=own.requires_grad)
        self.size, self._kept = size, None

    def extra_repr(self) -> str:
        return f"size={self.size}, before={self.before}"


def resize_positions(positions: Tensor, before: int, old: Size, new: Size) -> Tensor:
    """Positions [1, before + h * w, C] of a map, from its `old` (h, w) to its `new` one; those in front stay.

    Bicubic and with antialiasing, in float32. Source: timm layers/pos_embed.py, resample_abs_pos_embed.
    """
    front, grid = positions[:, :before], positions[:, before:]
    grid = grid.float().transpose(1, 2).unflatten(2, old)
    grid = F.interpolate(grid, new, mode="bicubic", antialias=True, align_corners=False)
    return torch.cat([front, grid.flatten(2).transpose(1, 2).to(positions.dtype)], 1)


@module.register
def _(op: Patchify, layer: Layer) -> nn.Module:
    return PatchConv(op, layer)


@module.register
def _(op: Tokens, layer: Layer) -> nn.Module:
    return Positions(op, layer)


@module.register
def _(op: Encoder, layer: Layer) -> nn.Module:
    return EncoderLayer(layer.cout, op.heads, int(layer.cout * op.mlp), layer.style)
