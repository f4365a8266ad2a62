"""Attention within windows of a map, plain and shifted: Swin's (Liu 2021) and Swin V2's (Liu 2022).

Which pixels of a window may see each other, and how far apart they are, follows from sizes alone: it is worked out once
and shared by all layers. The bias that learned parameters make of it is kept outside training, until they change.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import is_in_torch_dispatch_mode

from .undrawn import Linear

Pair = tuple[int, int]  # down, across


class Kept(NamedTuple):
    """The last bias, and all that it was made from."""

    parameters: tuple[Tensor, ...]
    facts: tuple[object, ...]
    bias: Tensor


class WindowAttention(nn.Module):
    """Self-attention within windows of a map, [B, H, W, C] -> the same (Liu 2021, section 3.2).

    Shifted windows go round the edges of the map; pixels that only this has brought together do not see each other. A
    map that windows do not divide is padded with zeros, right and below, after the shift (as timm does it). Scores get
    a learned bias for each distance within a window.
    """

    position_bias: nn.Parameter | nn.Sequential

    def __init__(self, c: int, heads: int, window: Pair, shift: Pair) -> None:
        super().__init__()
        self.heads, self.window, self.shift = heads, window, shift
        self.own = window  # whose distances have a learned bias; `window` may be smaller for a while
        self._kept: Kept | None = None
        self.make(c)

    def make(self, c: int) -> None:
        self.qkv, self.project = Linear(c, 3 * c), Linear(c, c)
        down, across = self.window
        self.position_bias = nn.Parameter(torch.empty((2 * down - 1) * (2 * across - 1), self.heads))
        nn.init.trunc_normal_(self.position_bias, std=0.02)

    def split(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values of [B, N, C]: [B, heads, N, C / heads] each. Queries are scaled for the product."""
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4).unbind()
        return q * q.shape[-1] ** -0.5, k, v

    def distance_bias(self) -> Tensor:
        """[(2 * down - 1) * (2 * across - 1), heads]: what each distance adds to the scores."""
        assert isinstance(self.position_bias, nn.Parameter)
        return self.position_bias

    def forward(self, x: Tensor) -> Tensor:
        (h, w), (down, across) = x.shape[1:3], self.window
        shifted = any(self.shift)
        if shifted:
            x = torch.roll(x, (-self.shift[0], -self.shift[1]), (1, 2))
        rows, columns = -(-h // down), -(-w // across)
        padded = (rows * down, columns * across) != (h, w)
        if padded:
            x = F.pad(x, (0, 0, 0, columns * across - w, 0, rows * down - h))
        x = x.unflatten(2, (columns, across)).unflatten(1, (rows, down)).transpose(2, 3).flatten(3, 4).flatten(0, 2)
        y = self.project(attend(*self.split(x), self.bias(rows, columns)))  # [B * windows, N, C]
        y = y.unflatten(1, (down, across)).unflatten(0, (-1, rows, columns)).transpose(2, 3).flatten(3, 4).flatten(1, 2)
        if padded:
            y = y[:, :h, :w]
        return torch.roll(y, self.shift, (1, 2)) if shifted else y

    def bias(self, rows: int, columns: int) -> Tensor:
        """What is added to the scores of a map of so many windows: [1, heads, N, N], or where they are shifted
        [windows, heads, N, N]. Outside training the last one is kept until something that it depends on changes.
        """
        own = self.position_bias
        parameters = (own,) if isinstance(own, nn.Parameter) else tuple(own.parameters())
        learns = torch.is_grad_enabled() and any(p.requires_grad for p in parameters)
        # What was made under inference counts no changes.
        if learns or torch.compiler.is_compiling() or any(p.is_meta or p.is_inference() for p in parameters):
            return self.fresh_bias(rows, columns)
        autocast = torch.is_autocast_enabled(parameters[0].device.type)
        facts = (rows, columns, autocast, *((p._version, p.data_ptr()) for p in parameters))
        kept = self._kept
        if kept is None or kept.facts != facts or any(a is not b for a, b in zip(kept.parameters, parameters, strict=True)):  # fmt: skip
            with torch.inference_mode(False), torch.no_grad():  # so that a later training step may use it
                kept = self._kept = Kept(parameters, facts, self.fresh_bias(rows, columns))
        return kept.bias

    def fresh_bias(self, rows: int, columns: int) -> Tensor:
        table, n = self.distance_bias(), self.window[0] * self.window[1]
        bias = (
            F.embedding(distances(self.window, self.learned, table.device), table)
            .t()
            .contiguous()
            .view(1, self.heads, n, n)
        )
        if not any(self.shift):
            return bias
        return bias + strangers(rows, columns, self.window, self.shift, table.device, table.dtype)[:, None]

    @property
    def learned(self) -> Pair:
        """The window whose distances `distance_bias` knows."""
        return self.own

    def set_window(self, window: Pair, shift: Pair) -> None:
        """Other windows from here on; the learned biases are resized to them."""
        if window != self.own and isinstance(self.position_bias, nn.Parameter):
            resized = resize_distances(self.position_bias.detach(), self.own, window)
            self.position_bias = nn.Parameter(resized, self.position_bias.requires_grad)
        self.own = self.window = window
        self.shift, self._kept = shift, None

    def fit_window(self, window: Pair, shift: Pair) -> None:
        """Other windows for a while, none larger than the network's own; nothing that is learned changes.

        The biases of the distances within a smaller window are those of the same distances in the own one.
        """
        self.window = (min(window[0], self.own[0]), min(window[1], self.own[1]))
        self.shift, self._kept = shift, None

    def train(self, mode: bool = True) -> WindowAttention:
        self._kept = None
        return super().train(mode)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> WindowAttention:
        self._kept = None  # another device or type
        return super()._apply(fn, recurse)

    def extra_repr(self) -> str:
        return f"heads={self.heads}, window={self.window}, shift={self.shift}"


class CosineAttention(WindowAttention):
    """Swin V2's: scores are cosines with a learned scale for each head, and a small network makes the bias of the
    logarithms of distances, in parts of the window `measure` (Liu 2022, sections 3.3 and 3.4); 0 is the window itself.
    """

    undecayed = ("position_bias",)  # as the released code's optimiser leaves it

    def __init__(self, c: int, heads: int, window: Pair, shift: Pair, measure: int = 0) -> None:
        self.measure = measure
        super().__init__(c, heads, window, shift)

    def make(self, c: int) -> None:
        self.qkv, self.project = QueryKeyValue(c), Linear(c, c)
        self.scale = nn.Parameter(torch.full((self.heads, 1, 1), math.log(10)))
        self.position_bias = nn.Sequential(Linear(2, 512), nn.ReLU(), Linear(512, self.heads, bias=False))

    @property
    def learned(self) -> Pair:
        return self.window  # a network makes the bias of any distance

    def split(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        qk, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).split((2, 1), 2)  # [B, N, 2 or 1, heads, C / heads]
        scale = self.scale.clamp(max=math.log(100)).exp()[:, :, 0]
        lengths = torch.stack([scale, torch.ones_like(scale)])  # [2, heads, 1]: what the vectors shall have
        q, k = (qk * (lengths / qk.norm(dim=-1, keepdim=True).clamp_min(1e-12))).permute(2, 0, 3, 1, 4).unbind()
        return q, k, v.squeeze(2).transpose(1, 2)

    def distance_bias(self) -> Tensor:
        assert isinstance(self.position_bias, nn.Sequential)
        weight = self.position_bias[0].weight
        assert isinstance(weight, Tensor)
        measure = (self.measure, self.measure) if self.measure else self.own
        places = log_distances(self.window, measure, weight.device).to(weight.dtype)
        return 16 * self.position_bias(places).sigmoid()


class QueryKeyValue(Linear):
    """Queries, keys and values of [..., C] in one product: [..., 3 * C]. Keys have no bias."""

    def __init__(self, c: int) -> None:
        super().__init__(c, 3 * c, bias=False)
        self.query_bias, self.value_bias = nn.Parameter(torch.zeros(c)), nn.Parameter(torch.zeros(c))

    def forward(self, input: Tensor) -> Tensor:
        bias = torch.cat([self.query_bias, torch.zeros_like(self.query_bias), self.value_bias])
        return F.linear(input, self.weight, bias)


def attend(q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
    """Softmax(q k^T + bias) v, heads side by side: [B * windows, heads, N, C / heads] each -> [B * windows, N, C].

    `bias` is [1, heads, N, N], or [windows, heads, N, N] that hold for every image.
    """
    if bias.requires_grad and bias.device.type == "cpu":  # no fast kernel learns a bias there; this saves memory passes
        scores = (q @ k.transpose(-2, -1)).unflatten(0, (-1, len(bias))) + bias
        y = scores.flatten(0, 1).softmax(-1) @ v
    else:
        if len(bias) > 1:
            bias = bias.expand(q.shape[0] // len(bias), *bias.shape).flatten(0, 1)
        y = F.scaled_dot_product_attention(q, k, v, bias, scale=1.0)
    return y.transpose(1, 2).flatten(2)


# -- what follows from sizes alone ---------------------------------------------------------------------------------
def shared(make: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """`make` with its last results kept."""
    kept: dict[tuple[object, ...], Tensor] = {}

    def get(*sizes: object) -> Tensor:
        if torch.compiler.is_compiling() or is_in_torch_dispatch_mode():  # real tensors do not go with pretended ones
            return make(*sizes)
        found = kept.get(sizes)
        if found is None:
            with torch.inference_mode(False):
                found = make(*sizes)
            if type(found) is Tensor:  # not one that stands for a tensor while something is traced
                while len(kept) >= 32:
                    kept.pop(next(iter(kept)), None)
                kept[sizes] = found
        return found

    return get


@shared
def distances(window: Pair, own: Pair, device: torch.device) -> Tensor:
    """[N * N]: which of the (2 * down - 1) * (2 * across - 1) distances within a window `own` lies between each two
    pixels of `window`, which is no larger."""
    y, x = (
        torch.arange(n, device=device)[:, None] - torch.arange(n, device=device) + known - 1
        for n, known in zip(window, own, strict=True)
    )
    return (y[:, None, :, None] * (2 * own[1] - 1) + x[None, :, None, :]).flatten()


@shared
def log_distances(window: Pair, measure: Pair, device: torch.device) -> Tensor:
    """[(2 * down - 1) * (2 * across - 1), 2]: down and across, between -log2(9) / 3 and its opposite within `measure`."""

    def steps(n: int, known: int) -> Tensor:
        away = torch.arange(1 - n, n, device=device, dtype=torch.float32) / max(known - 1, 1) * 8
        return away.sign() * (away.abs() + 1).log2() / 3

    down, across = (steps(n, known) for n, known in zip(window, measure, strict=True))
    return torch.stack(torch.meshgrid(down, across, indexing="ij"), -1).flatten(0, 1)


@shared
def strangers(rows: int, columns: int, window: Pair, shift: Pair, device: torch.device, dtype: torch.dtype) -> Tensor:
    """[windows, N, N]: -100 between pixels that only the shift has brought into one window, 0 between others."""

    def part(windows: int, k: int, shift: int) -> Tensor:  # 0, 1, 2: where on the map a shifted row comes from
        i, n = torch.arange(windows * k, device=device), windows * k
        return (i >= n - k).long() + (i >= n - shift).long() if shift else torch.zeros_like(i)

    parts = part(rows, window[0], shift[0])[:, None] * 3 + part(columns, window[1], shift[1])
    parts = parts.unflatten(1, (columns, -1)).unflatten(0, (rows, -1)).transpose(1, 2).flatten(2).flatten(0, 1)
    return (parts[:, :, None] != parts[:, None]).to(dtype) * -100


def resize_distances(table: Tensor, old: Pair, new: Pair) -> Tensor:
    """A table of biases for each distance within `old` windows, made to fit `new` ones.

    Known distances are taken to lie ever farther apart, in geometric progression, so that the near ones keep their
    bias; between them it is linear. Source: timm layers/pos_embed_rel.py, resize_rel_pos_bias_table (from BEiT).
    """
    known = table.float().unflatten(0, (2 * old[0] - 1, 2 * old[1] - 1)).permute(2, 0, 1)
    down, across = (_between(a, b).to(known.device) for a, b in zip(old, new, strict=True))
    return (down @ known @ across.t()).flatten(1).t().contiguous().to(table.dtype)


def _between(old: int, new: int) -> Tensor:
    """[2 * new - 1, 2 * old - 1]: the shares of the old distances in each new one."""
    if old == 1:
        return torch.ones(2 * new - 1, 1)
    low, high, ratio = 1.01, 1.5, 0.0
    while high - low > 1e-6:
        ratio = (low + high) / 2
        low, high = (low, ratio) if (1 - ratio ** (old - 1)) / (1 - ratio) > new - 1 else (ratio, high)
    away = [sum(ratio**i for i in range(n)) for n in range(1, old)]
    known = torch.tensor([*(-d for d in reversed(away)), 0.0, *away])
    asked = torch.arange(1 - new, new, dtype=torch.float32)
    right = torch.bucketize(asked, known).clamp(1, len(known) - 1)
    share = ((asked - known[right - 1]) / (known[right] - known[right - 1])).clamp(0, 1)
    shares = torch.zeros(len(asked), len(known))
    at = torch.arange(len(asked))
    shares[at, right - 1], shares[at, right] = 1 - share, share
    return shares
