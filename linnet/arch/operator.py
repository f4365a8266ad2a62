"""The words of a table: Operator, Style, Layer, and the operators that every family shares.

A family's own operators stand beside its tables; a user's stand in a package of the user's own.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from ..errors import SettingError

if TYPE_CHECKING:
    from .scale import Scaling

Act = Literal["identity", "relu", "relu6", "silu", "hswish", "gelu", "tanh"]
Norms = Literal["batch", "group", "layer"]
PoolKind = Literal["average", "max", "token", "flatten"]
Size = tuple[int, ...]  # (height, width) of a map, (n,) of n tokens, () of a vector


@dataclass(frozen=True)
class Style:
    """What a whole network shares; weights of one table may differ in it, and bring their own."""

    act: Act = "relu"
    norm: Literal["batch", "group", "layer", "none"] = "batch"
    eps: float = 1e-5
    momentum: float = 0.1  # PyTorch's meaning: the weight of the new batch
    pad: Literal["symmetric", "same"] = "symmetric"  # "same" is TensorFlow's: an odd pixel goes right and below


@dataclass(frozen=True)
class Operator:
    """One word of a table: subclass it as a frozen dataclass and register its module with `linnet.nn.module`.

    The methods say what the table needs to know without building anything; most operators keep the defaults.
    """

    known: ClassVar[dict[str, type[Operator]]] = {}
    units: ClassVar[int] = 0  # residual units in one layer, for drop path and layer-wise learning rates
    folds: ClassVar[bool] = False  # has batch norms whatever the style: branches of it fold into one convolution

    def __init_subclass__(cls) -> None:
        other = Operator.known.get(cls.__name__)
        if other is not None and other.__module__ != cls.__module__:
            raise SettingError(
                f"Two operators are called {cls.__name__} ({other.__module__} and {cls.__module__}): rename one."
            )
        Operator.known[cls.__name__] = cls

    def out_size(self, size: Size, stride: int, dilation: int) -> Size:
        """Size after the layer; the default is that of a padded convolution, ceil(size / stride)."""
        return tuple(-(-n // stride) for n in size)

    def out_channels(self, cin: int, channels: int, size: Size) -> int:
        """Channels after one layer of a row that says `channels`."""
        return channels

    @property
    def repeats(self) -> bool:
        """Whether a deeper table has more layers of it; of a pool there stays one between two stages."""
        return True

    def part(self, role: str, layer: Layer) -> tuple[int, Size]:
        """Channels and size of the output of the layer's submodule `role`, for taps inside a row.

        Raises SettingError when the operator offers no such part.
        """
        raise SettingError(
            f"{type(self).__name__} offers no part {role!r} as a feature: tap the whole row, or give the operator a `part` method that knows it."
        )

    def widened(self, cin: int, wide: int, scaling: Scaling) -> Operator:
        """The operator after its row's input grew from `cin` to `wide` channels (the row's own grow by themselves)."""
        return self

    def to_json(self) -> dict[str, Any]:
        return {"op": type(self).__name__, **{f.name: getattr(self, f.name) for f in fields(self)}}

    def __str__(self) -> str:
        """As the table writes it: the kernel, and arguments that are not the default ones.

        >>> str(Conv(k=1)), str(Pool())
        ('Conv(k=1)', 'Pool')
        """
        said = [f"{f.name}={getattr(self, f.name):g}" if isinstance(getattr(self, f.name), float) else
                f"{f.name}={getattr(self, f.name)}"
                for f in fields(self) if f.name == "k" or f.default is MISSING or getattr(self, f.name) != f.default]  # fmt: skip
        return type(self).__name__ + (f"({', '.join(said)})" if said else "")


@dataclass(frozen=True)
class Layer:
    """One layer with everything its cost depends on: the atom of building, counting and timing."""

    op: Operator
    cin: int
    cout: int
    stride: int
    size: Size
    dilation: int
    style: Style

    @property
    def out_size(self) -> Size:
        return self.op.out_size(self.size, self.stride, self.dilation)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Of one sample: (c, h, w) of a map, (n, c) of tokens, (c,) of a vector."""
        return shape(self.cin, self.size)

    @property
    def output_shape(self) -> tuple[int, ...]:
        return shape(self.cout, self.out_size)


def shape(c: int, size: Size) -> tuple[int, ...]:
    return (*size, c) if len(size) == 1 else (c, *size)


# -- operators that every family shares ----------------------------------------------------------------------------
@dataclass(frozen=True)
class Conv(Operator):
    """k x k convolution, norm, activation. In a head row `c` gives the channels; a stage's row gives its own."""

    c: int = 0
    k: int = 3
    pad: int | None = None  # pixels on each side; None keeps ceil(size / stride)
    groups: int = 1
    act: Act | None = None  # None is the network's

    def __post_init__(self) -> None:
        if self.pad is None and self.k % 2 == 0:
            raise SettingError(f"Conv(k={self.k}) has no middle to pad around: give it a pad, such as pad=0.")

    def out_size(self, size: Size, stride: int, dilation: int) -> Size:
        if self.pad is None:
            return tuple(-(-n // stride) for n in size)
        return tuple((n + 2 * self.pad - dilation * (self.k - 1) - 1) // stride + 1 for n in size)

    def out_channels(self, cin: int, channels: int, size: Size) -> int:
        return channels or self.c


@dataclass(frozen=True)
class MaxPool(Operator):
    """k x k maximum; `ceil` rounds the size up as Caffe does."""

    k: int = 3
    pad: int = 1
    ceil: bool = False

    @property
    def repeats(self) -> bool:
        return False

    def out_size(self, size: Size, stride: int, dilation: int) -> Size:
        def one(n: int) -> int:
            span = n + 2 * self.pad - self.k + (stride - 1 if self.ceil else 0)
            out = span // stride + 1
            # PyTorch drops a last window that would start in the padding.
            return out - 1 if self.ceil and (out - 1) * stride >= n + self.pad else out

        return tuple(one(n) for n in size)

    def out_channels(self, cin: int, channels: int, size: Size) -> int:
        return cin


@dataclass(frozen=True)
class Pool(Operator):
    """From a map or tokens to a vector. The rows above it are `forward_features`, it and the rest `forward_head`.

    "average" is the mean over all positions, "max" the largest value, "token" the first token (`tokens` > 1 keeps that many, [B, tokens, C]),
    "flatten" a map's [C * H * W].
    """

    kind: PoolKind = "average"
    tokens: int = 1

    def out_size(self, size: Size, stride: int, dilation: int) -> Size:
        return () if self.tokens == 1 else (self.tokens,)

    def out_channels(self, cin: int, channels: int, size: Size) -> int:
        return cin * size[0] * size[1] if self.kind == "flatten" else cin


@dataclass(frozen=True)
class Norm(Operator):
    """A norm of its own over the channels of a map, of tokens or of a vector, then an activation.

    LayerNorm where transformers end, BatchNorm and ReLU where pre-activation networks do ("batch" and "group" are not for tokens).
    """

    norm: Norms = "layer"
    act: Act = "identity"

    def out_channels(self, cin: int, channels: int, size: Size) -> int:
        return cin


@dataclass(frozen=True)
class Linear(Operator):
    """Fully connected layer, [norm], activation. It has a bias where it has no norm."""

    c: int
    act: Act | None = None
    norm: Literal["none", "layer", "batch", "group"] = "none"

    def out_channels(self, cin: int, channels: int, size: Size) -> int:
        return self.c


@dataclass(frozen=True)
class Dropout(Operator):
    """Where dropout acts. Its rate belongs to the run: `linnet.nn.net.set_regularisation`."""

    def out_channels(self, cin: int, channels: int, size: Size) -> int:
        return cin


@dataclass(frozen=True)
class Classifier(Operator):
    """The last linear layer; 0 classes leaves the features as they are.

    With `heads` > 1 there are several, whose logits are averaged: one per token (distilled DeiT), or all on one vector
    (distilled RepViT). A subclass may stand above Pool and keep the map (SqueezeNet).
    """

    classes: int = 1000
    heads: int = 1

    def out_size(self, size: Size, stride: int, dilation: int) -> Size:
        return ()

    def out_channels(self, cin: int, channels: int, size: Size) -> int:
        return self.classes or cin
