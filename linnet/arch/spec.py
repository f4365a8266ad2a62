"""The words that every architecture table is written in: Operator, Stage, Style, Layer, Arch.

A table has rows; a row is a Stage: n layers of one operator, of which the first has the stride and changes the channels
(MobileNetV2, Table 2). `Arch.layers()` walks the table and yields one `Layer` per layer, which holds everything that
building, counting and timing it depend on. A family's own operators stand beside its tables; the ones below are shared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, replace
from typing import Any, ClassVar, Literal

from ..errors import SettingError, did_you_mean
from .scale import Scaling

Act = Literal["identity", "relu", "relu6", "silu", "hswish", "gelu"]
Size = tuple[int, ...]  # (height, width) of a map, (n,) of n tokens, () of a vector


@dataclass(frozen=True)
class Style:
    """What a whole network shares; weights of one table may differ in it, and bring their own."""

    act: Act = "relu"
    norm: Literal["batch", "layer", "none"] = "batch"
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

    def widened(self, cin: int, wide: int, scaling: Scaling) -> Operator:
        """The operator after its row's input grew from `cin` to `wide` channels (the row's own grow by themselves)."""
        return self

    def to_json(self) -> dict[str, Any]:
        return {"op": type(self).__name__, **{f.name: getattr(self, f.name) for f in fields(self)}}

    def __str__(self) -> str:
        """As the table writes it: arguments that are not the default ones.

        >>> str(Conv(k=1)), str(Conv())
        ('Conv(k=1)', 'Conv')
        """
        said = [f"{f.name}={getattr(self, f.name):g}" if isinstance(getattr(self, f.name), float) else
                f"{f.name}={getattr(self, f.name)}"
                for f in fields(self) if f.default is MISSING or getattr(self, f.name) != f.default]  # fmt: skip
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


@dataclass(frozen=True)
class Stage:
    """A row: `layers` layers of an operator, or of a short cycle of operators taken in turn."""

    op: Operator | tuple[Operator, ...]
    channels: int = 0
    layers: int = 1
    stride: int = 1

    @property
    def ops(self) -> tuple[Operator, ...]:
        return self.op if isinstance(self.op, tuple) else (self.op,)

    def to_json(self) -> dict[str, Any]:
        op = [o.to_json() for o in self.op] if isinstance(self.op, tuple) else self.op.to_json()
        return {"op": op, "channels": self.channels, "layers": self.layers, "stride": self.stride}


# -- operators that every family shares ----------------------------------------------------------------------------
@dataclass(frozen=True)
class Conv(Operator):
    """k x k convolution, norm, activation. In a head row `c` gives the channels; a stage's row gives its own."""

    c: int = 0
    k: int = 3
    pad: int | None = None  # pixels on each side; None keeps ceil(size / stride)
    groups: int = 1
    act: Act | None = None  # None is the network's

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

    "average" is the mean over all positions, "token" the first token (`tokens` > 1 keeps that many, [B, tokens, C]),
    "flatten" a map's [C * H * W].
    """

    kind: Literal["average", "token", "flatten"] = "average"
    tokens: int = 1

    def out_size(self, size: Size, stride: int, dilation: int) -> Size:
        return () if self.tokens == 1 else (self.tokens,)

    def out_channels(self, cin: int, channels: int, size: Size) -> int:
        return cin * size[0] * size[1] if self.kind == "flatten" else cin


@dataclass(frozen=True)
class Norm(Operator):
    """LayerNorm over the channels of a map, of tokens or of a vector."""

    def out_channels(self, cin: int, channels: int, size: Size) -> int:
        return cin


@dataclass(frozen=True)
class Linear(Operator):
    """Fully connected layer with bias, then an activation."""

    c: int
    act: Act | None = None

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

    With `heads` > 1 (distilled DeiT) each token has its own, and their logits are averaged outside training.
    """

    classes: int = 1000
    heads: int = 1

    def out_size(self, size: Size, stride: int, dilation: int) -> Size:
        return ()

    def out_channels(self, cin: int, channels: int, size: Size) -> int:
        return self.classes or cin


# -- the table --------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Arch:
    """A network: its paper's table as a value. Everything else is a function of it."""

    name: str
    image: int  # the side that the paper evaluates at, pixels
    stem: tuple[Stage, ...]
    stages: tuple[Stage, ...]
    head: tuple[Operator, ...]
    style: Style = Style()
    scaling: Scaling = Scaling()
    taps: tuple[str, ...] = ()  # rows whose outputs are the features; none: the last before each change of stride
    init: Literal["fan_out", "slim"] = "fan_out"  # see linnet/nn/init.py
    source: str = ""

    @property
    def rows(self) -> tuple[Stage, ...]:
        return (*self.stem, *self.stages, *(Stage(op) for op in self.head))

    @property
    def row_names(self) -> tuple[str, ...]:
        """As the state dict names them: stem.0, stages.3, head.classifier.

        Raises SettingError when the head has two rows of one operator.
        """
        head = [f"head.{type(op).__name__.lower()}" for op in self.head]
        for name in head:
            if head.count(name) > 1:
                head = [f"{h}{i}" if h == name else h for i, h in enumerate(head)]
        return (
            *(f"stem.{i}" for i in range(len(self.stem))),
            *(f"stages.{i}" for i in range(len(self.stages))),
            *head,
        )

    @property
    def classes(self) -> int:
        return next((op.classes for op in self.head if isinstance(op, Classifier)), 0)

    def layers(
        self,
        image: int | tuple[int, int] | None = None,
        *,
        channels: int = 3,
        output_stride: int = 0,
        style: Style | None = None,
    ) -> Iterator[tuple[int, Layer]]:
        """Yield (row, layer) down the table, carrying channels and size.

        `image` is a side or (height, width) in pixels. From `output_stride` on, strides turn into dilation; as in
        DeepLab's networks, the layer that loses its stride keeps the dilation of the layers above it.
        """
        image = image or self.image
        size: Size = (image, image) if isinstance(image, int) else image
        cin, reduction, dilation, style = channels, 1, 1, style or self.style
        for row, stage in enumerate(self.rows):
            for j in range(stage.layers):
                op = stage.ops[j % len(stage.ops)]
                stride, kept = (stage.stride if j == 0 else 1), dilation
                if output_stride and reduction * stride > output_stride:
                    stride, dilation = 1, dilation * stride
                reduction *= stride
                layer = Layer(op, cin, op.out_channels(cin, stage.channels, size), stride, size, kept, style)
                yield row, layer
                cin, size = layer.cout, layer.out_size

    def features(self, image: int | None = None, *, output_stride: int = 0) -> tuple[tuple[str, int, int], ...]:
        """(tap, channels, reduction) of every feature map that `features_only` returns, from large to small."""
        body, names = len(self.stem) + len(self.stages), self.row_names
        last: dict[int, Layer] = {}
        reductions: dict[int, int] = {}
        reduction = 1
        for row, layer in self.layers(image, output_stride=output_stride):
            if len(layer.out_size) == 2:
                # By sizes, not by the stride written: an operator may halve inside (Inception, NASNet).
                reduction *= max(1, round(layer.size[0] / layer.out_size[0])) if len(layer.size) == 2 else 1
                last[row], reductions[row] = layer, reduction
        if self.taps:
            rows = [names.index(".".join(tap.split(".")[:2])) for tap in self.taps]
            return tuple((tap, last[row].cout, reductions[row]) for tap, row in zip(self.taps, rows, strict=True))
        rows = [r for r in range(body) if r in last and reductions[r] > 1]
        rows = [r for r in rows if r + 1 not in rows or reductions[r + 1] != reductions[r]]
        return tuple((names[row], last[row].cout, reductions[row]) for row in rows)

    def with_classes(self, classes: int) -> Arch:
        return replace(
            self, head=tuple(replace(o, classes=classes) if isinstance(o, Classifier) else o for o in self.head)
        )

    def styled(self, name: str, **changes: Any) -> Arch:
        """The same table under another name and style, such as TensorFlow's padding."""
        return replace(self, name=name, style=replace(self.style, **changes))

    def scaled(self, name: str = "", *, width: float = 1.0, depth: float = 1.0, image: int | None = None) -> Arch:
        """The same table with other numbers, by the family's own policy (Tan & Le 2019, section 3.3).

        Raises SettingError for multipliers that are not positive.
        """
        for what, value in (("width", width), ("depth", depth), ("image", image or self.image)):
            if not value > 0:
                raise SettingError(f"{what} is {value}: give a number above 0.")
        rule, last = self.scaling, len(self.stages) - 1

        rows, cin, wide = list[Stage](), 3, 3
        for i, s in enumerate((*self.stem, *self.stages), -len(self.stem)):
            body = i >= 0
            channels = rule.channels(s.channels, width if body or rule.stem else 1)
            layers = rule.layers(s.layers, depth, end=i in (0, last)) if body else s.layers
            ops = tuple(op.widened(cin, wide, rule) for op in s.ops)
            rows.append(Stage(ops if isinstance(s.op, tuple) else ops[0], channels, layers, s.stride))
            cin, wide = s.channels or cin, channels or wide
        stem, stages = tuple(rows[: len(self.stem)]), tuple(rows[len(self.stem) :])
        grows = {"scaled": width, "fixed": 1.0, "grows": max(1.0, width)}[rule.head]
        head = tuple(replace(o, c=rule.channels(o.c, grows)) if isinstance(o, Conv) else o for o in self.head)
        return replace(self, name=name or self.name, image=image or self.image, stem=stem, stages=stages, head=head)

    def to_json(self) -> dict[str, Any]:
        """Plain values that `from_json` turns back into an equal Arch."""
        return {
            "name": self.name,
            "image": self.image,
            "stem": [s.to_json() for s in self.stem],
            "stages": [s.to_json() for s in self.stages],
            "head": [op.to_json() for op in self.head],
            "style": {f.name: getattr(self.style, f.name) for f in fields(self.style)},
            "scaling": {f.name: getattr(self.scaling, f.name) for f in fields(self.scaling)},
            "taps": list(self.taps),
            "init": self.init,
            "source": self.source,
        }

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> Arch:
        """Raises SettingError for an operator or a key that is not known."""
        try:
            rest = dict(value)
            return Arch(
                name=str(rest.pop("name")),
                image=int(rest.pop("image")),
                stem=tuple(_stage(s) for s in rest.pop("stem")),
                stages=tuple(_stage(s) for s in rest.pop("stages")),
                head=tuple(_operator(op) for op in rest.pop("head")),
                style=Style(**rest.pop("style", {})),
                scaling=Scaling(**rest.pop("scaling", {})),
                taps=tuple(rest.pop("taps", ())),
                **rest,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise SettingError(f"This is not the description of a network ({error}).") from error


def _operator(value: Mapping[str, Any]) -> Operator:
    arguments = {k: tuple(v) if isinstance(v, list) else v for k, v in value.items()}
    name = arguments.pop("op")
    if name not in Operator.known:
        raise SettingError(
            f"The operator {name!r} is not known here.{did_you_mean(str(name), Operator.known)}"
            " If it is from a package of your own, import that package first."
        )
    return Operator.known[name](**arguments)


def _stage(value: Mapping[str, Any]) -> Stage:
    arguments = dict(value)
    op = arguments.pop("op")
    return Stage(tuple(_operator(o) for o in op) if isinstance(op, list) else _operator(op), **arguments)
