"""What convolutional families share: convolution with norm and activation, squeeze-and-excitation, residuals, pooling."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..arch.spec import Act, Classifier, Conv, Dropout, Layer, Linear, MaxPool, Norm, Pool, Style
from .depthwise import depthwise_conv, pays_off
from .drop import Dropout as Drop
from .drop import DropPath as DropPath
from .module import module
from .undrawn import Conv2d
from .undrawn import Linear as LinearLayer


class Hardswish(nn.Hardswish):
    def forward(self, input: Tensor) -> Tensor:
        return F.hardswish(input, inplace=not torch.is_grad_enabled())


class Silu(nn.SiLU):
    def forward(self, input: Tensor) -> Tensor:
        return F.silu(input, inplace=not torch.is_grad_enabled())


class Gelu(nn.GELU):
    def forward(self, input: Tensor) -> Tensor:
        return F.gelu(input) if torch.is_grad_enabled() else torch.ops.aten.gelu_(input)


ACTS: dict[Act, type[nn.Module]] = {
    "identity": nn.Identity,
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "silu": nn.SiLU,
    "hswish": nn.Hardswish,
    "gelu": nn.GELU,
    "tanh": nn.Tanh,
}
SPARING: dict[Act, type[nn.Module]] = {"silu": Silu, "hswish": Hardswish, "gelu": Gelu}


def activation(act: Act) -> nn.Module:
    """Over an input that nobody else reads: in place, a map's worth of new memory less, where that costs nothing.

    ReLU always, since autograd keeps its output; the others where no gradient is wanted, since it would first copy the
    input that it has to keep.
    """
    return ACTS[act](inplace=True) if act in ("relu", "relu6") else SPARING.get(act, ACTS[act])()


def norm(c: int, style: Style, *, flat: bool = False) -> nn.Module:
    """The network's norm over a map of `c` channels; `flat` is for a vector."""
    match style.norm:
        case "batch":
            kind = nn.BatchNorm1d if flat else nn.BatchNorm2d
            return kind(c, eps=style.eps, momentum=style.momentum)
        case "group":
            return nn.GroupNorm(c // group_size(c), c, eps=style.eps)
        case "layer":
            return LayerNorm(c, eps=style.eps)
        case "none":
            return nn.Identity()


def group_size(c: int) -> int:
    """Channels that GroupNorm takes together: 16, or the most below 16 that divide `c`; all of them where that is fewer
    than 4, whose statistics would say little."""
    size = max(n for n in range(1, 17) if c % n == 0)
    return size if size >= 4 else c


class LayerNorm(nn.LayerNorm):
    """Over the channels of a map [B, C, H, W], of tokens [B, N, C] or of a vector [B, C]."""

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim == 4:
            return super().forward(input.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return super().forward(input)


class ConvNorm(Conv2d):
    """k x k convolution, norm, activation: [B, cin, H, W] -> [B, cout, ceil(H / stride), ...]. `k` may be (down, across).

    It is a convolution that owns its norm, so that a state dict reads `depthwise.weight`, `depthwise.norm.weight`.
    It has a bias unless a batch or group norm follows, which has one itself.
    """

    def __init__(self, cin: int, cout: int, k: int | tuple[int, int], style: Style, *, stride: int = 1, groups: int = 1,
                 dilation: int = 1, pad: int | None = None, act: Act | None = None) -> None:  # fmt: skip
        # TensorFlow's "same" pads by the input's size; it differs from the symmetric kind only where there is a stride.
        self.same = style.pad == "same" and stride > 1 and pad is None
        k = (k, k) if isinstance(k, int) else k
        padding = (dilation * (k[0] - 1) // 2, dilation * (k[1] - 1) // 2) if pad is None else (pad, pad)
        super().__init__(
            cin,
            cout,
            k,
            stride,
            0 if self.same else padding,
            dilation,
            groups,
            bias=style.norm not in ("batch", "group"),
        )
        self.norm = norm(cout, style)
        self.act = activation(style.act if act is None else act)

    @property
    def thin(self) -> bool:
        """The backward pass of such a convolution, fp32 and channels-last, writes past its memory on a CPU in torch 2.14.1
        and ends the process ("corrupted size vs. prev_size"; seen with AVX-512, in timm's MobileOne too)."""
        if self.in_channels >= 16 or self.stride[0] == 1:
            return False
        return self.kernel_size == (1, 1) and self.padding == (0, 0) and self.groups == 1

    @property
    def depthwise(self) -> bool:
        """Of a kind that `depthwise_conv` does."""
        c, k = self.groups, self.kernel_size
        return c == self.in_channels == self.out_channels and self.dilation == (1, 1) and k[0] == k[1] and k[0] % 2 == 1

    def forward(self, input: Tensor) -> Tensor:
        if self.same:
            input = pad_same(input, self.kernel_size, self.stride[0], self.dilation[0])
        if self.thin and input.device.type == "cpu" and torch.is_grad_enabled():
            skipped = input[:, :, :: self.stride[0], :: self.stride[1]]
            return self.act(self.norm(F.conv2d(skipped, self.weight, self.bias)))
        if pays_off(input) and self.depthwise:
            x = depthwise_conv(input, self.weight, self.stride[0], self.padding[0])  # type: ignore[arg-type]
            return self.act(self.norm(x if self.bias is None else x + self.bias.to(x.dtype)[:, None, None]))
        return self.act(self.norm(super().forward(input)))


def added(x: Tensor, y: Tensor) -> Tensor:
    """x + y of equal shapes; where no gradient is wanted in the memory of `y`, a branch's end that nobody else reads."""
    return x + y if torch.is_grad_enabled() or x.dtype != y.dtype else y.add_(x)


def pad_same(x: Tensor, k: tuple[int, ...], stride: int, dilation: int) -> Tensor:
    """TensorFlow's "same" padding of a map, the odd pixel right and below."""

    def total(n: int, k: int) -> int:
        seen = dilation * (k - 1) + 1
        needed = ((n + stride - 1) // stride - 1) * stride + seen - n
        # Never below nothing where pixels are seen twice. In an export whose size is left open `n` is a symbol, and
        # without a maximum torch can tell that the output has ceil(n / stride) pixels.
        return needed if seen >= stride else max(needed, 0)

    h, w = total(x.shape[-2], k[0]), total(x.shape[-1], k[1])
    nothing = isinstance(h, int) and isinstance(w, int) and not (h or w)
    return x if nothing else F.pad(x, (w // 2, w - w // 2, h // 2, h - h // 2))


class SqueezeExcite(nn.Module):
    """Channel-wise gate from the global average: [B, C, H, W] -> the same (Hu 2018).

    In place where no gradient is wanted: what it gates is its own.
    """

    def __init__(self, c: int, squeezed: int, *, act: Act, hard: bool = False) -> None:
        super().__init__()
        self.reduce = Conv2d(c, squeezed, 1)
        self.act = activation(act)
        self.expand = Conv2d(squeezed, c, 1)
        self.sigmoid = nn.Hardsigmoid() if hard else nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        gate = self.sigmoid(self.expand(self.act(self.reduce(x.mean((2, 3), keepdim=True)))))
        return x * gate if torch.is_grad_enabled() else x.mul_(gate)


class Pooling(nn.Module):
    """See `linnet.arch.spec.Pool`."""

    def __init__(self, op: Pool) -> None:
        super().__init__()
        self.kind, self.tokens = op.kind, op.tokens

    def forward(self, x: Tensor) -> Tensor:
        if self.kind == "flatten":
            return x.flatten(1)
        if self.kind == "token":
            return x[:, 0] if self.tokens == 1 else x[:, : self.tokens]
        if self.kind == "max":
            return x.amax((2, 3)) if x.ndim == 4 else x.amax(1)
        return x.mean((2, 3)) if x.ndim == 4 else x.mean(1)


class Heads(nn.ModuleList):
    """Classifiers whose logits are averaged: of a token each, [B, heads, C], or all of one vector, [B, C].

    With `apart` they are not in training, [B, heads, classes]: a teacher's answers are for one of them.
    """

    apart = False

    def forward(self, x: Tensor) -> Tensor:
        logits = torch.stack([fc(x if x.ndim == 2 else x[:, i]) for i, fc in enumerate(self)])
        return logits.transpose(0, 1) if self.apart and self.training else logits.mean(0)


@module.register
def _(op: Conv, layer: Layer) -> nn.Module:
    return ConvNorm(layer.cin, layer.cout, op.k, layer.style, stride=layer.stride, groups=op.groups,
                    dilation=layer.dilation, pad=op.pad, act=op.act)  # fmt: skip


@module.register
def _(op: MaxPool, layer: Layer) -> nn.Module:
    return nn.MaxPool2d(op.k, layer.stride, op.pad, ceil_mode=op.ceil)


@module.register
def _(op: Pool, layer: Layer) -> nn.Module:
    return Pooling(op)


@module.register
def _(op: Norm, layer: Layer) -> nn.Module:
    own = norm(layer.cin, replace(layer.style, norm=op.norm), flat=len(layer.size) < 2)
    return own if op.act == "identity" else nn.Sequential(own, activation(op.act))


@module.register
def _(op: Linear, layer: Layer) -> nn.Module:
    act = activation(layer.style.act if op.act is None else op.act)
    if op.norm == "none":
        return nn.Sequential(LinearLayer(layer.cin, layer.cout), act)
    own = norm(layer.cout, replace(layer.style, norm=op.norm), flat=True)
    return nn.Sequential(LinearLayer(layer.cin, layer.cout, bias=False), own, act)


@module.register
def _(op: Dropout, layer: Layer) -> nn.Module:
    return Drop(0.0)


@module.register
def _(op: Classifier, layer: Layer) -> nn.Module:
    if not op.classes:
        return nn.Identity()
    heads = [LinearLayer(layer.cin, op.classes) for _ in range(op.heads)]
    return heads[0] if op.heads == 1 else Heads(heads)
