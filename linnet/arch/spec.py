"""The words that every architecture table is written in: Operator, Stage, Style, Layer, Arch.

A table has rows; a row is a Stage: n layers of one operator, of which the first has the stride and changes the channels
(MobileNetV2, Table 2). `Arch.layers()` walks the table and yields one `Layer` per layer, which holds everything that
building, counting and timing it depend on. A family's own operators stand beside its tables; the ones below are shared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from itertools import groupby
from typing import Any, Literal, get_args

from ..errors import SettingError, did_you_mean
from .operator import (
    Act,
    Classifier,
    Conv,
    Dropout,
    Layer,
    Linear,
    MaxPool,
    Norm,
    Norms,
    Operator,
    Pool,
    PoolKind,
    Size,
    Style,
    shape,
)
from .read import read
from .scale import Scaling

__all__ = [
    "Act",
    "Arch",
    "Classifier",
    "Conv",
    "Dropout",
    "Layer",
    "Linear",
    "MaxPool",
    "Norm",
    "Norms",
    "Operator",
    "Pool",
    "PoolKind",
    "Scaling",
    "Size",
    "Stage",
    "Style",
    "shape",
]


@dataclass(frozen=True)
class Stage:
    """A row: `layers` layers of an operator, or of a short cycle of operators taken in turn."""

    op: Operator | tuple[Operator, ...]
    channels: int = 0
    layers: int = 1
    stride: int = 1

    def __post_init__(self) -> None:
        if not self.ops:
            raise SettingError("A row with an empty cycle of operators has nothing to build: give one or more.")

    @property
    def ops(self) -> tuple[Operator, ...]:
        return self.op if isinstance(self.op, tuple) else (self.op,)

    def to_json(self) -> dict[str, Any]:
        op = [o.to_json() for o in self.op] if isinstance(self.op, tuple) else self.op.to_json()
        return {"op": op, "channels": self.channels, "layers": self.layers, "stride": self.stride}


@dataclass(frozen=True)
class Arch:
    """A network: its paper's table as a value. Everything else is a function of it."""

    name: str
    image: int  # the side that the paper evaluates at, pixels
    stem: tuple[Stage, ...]
    stages: tuple[Stage, ...]
    head: tuple[Operator, ...]
    style: Style = Style()  # noqa: RUF009  (frozen)
    scaling: Scaling = Scaling()  # noqa: RUF009
    taps: tuple[str, ...] = ()  # where features come from, see `features`; none: the last row before each stride
    init: Literal["fan_out", "slim", "trunc", "he", "torch"] = "fan_out"  # see linnet/nn/init.py
    source: str = ""

    @property
    def rows(self) -> tuple[Stage, ...]:
        return (*self.stem, *self.stages, *(Stage(op) for op in self.head))

    @property
    def row_names(self) -> tuple[str, ...]:
        """As the state dict names them: stem.0, stages.3, head.classifier.

        Where the head has several rows of one operator, their places tell them apart: head.linear1, head.linear3.
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
    def classifier_row(self) -> int:
        """Place of the classifier among `rows`; how many rows there are, if there is none. SqueezeNet's is not the last."""
        body = len(self.stem) + len(self.stages)
        return next((body + i for i, op in enumerate(self.head) if isinstance(op, Classifier)), len(self.rows))

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
        """(tap, channels, reduction) of every feature map that `Net.features` returns, from large to small.

        Tokens count as a map with other tokens before it. A tap is a row ("stages.5"), a layer ("stages.5.0") or a
        part of one ("stages.5.0.expand").

        Raises SettingError for a tap that the table does not have.
        """
        taps, places = list[tuple[str, int, int]](), dict[str, tuple[Layer, int, int]]()
        names, body, reduction = self.row_names, len(self.stem) + len(self.stages), 1
        # By sizes, not by the stride written: an operator may halve inside (NASNet). They are those of a large image,
        # where the pixels that valid convolutions lose (Inception) do not count.
        large = self.layers(16 * (image or self.image), output_stride=output_stride)
        for row, group in groupby(large, key=lambda pair: pair[0]):
            for j, (_, layer) in enumerate(group):
                if layer.out_size:
                    before, reduction = reduction, _reduced(reduction, layer.size, layer.out_size)
                    places[names[row]] = places[f"{names[row]}.{j}"] = (layer, before, reduction)
            if row < body and reduction > 1 and names[row] in places:
                if taps and taps[-1][2] == reduction:
                    taps.pop()
                taps.append((names[row], places[names[row]][0].cout, reduction))
        return tuple(self._feature(tap, places) for tap in self.taps) or tuple(taps)

    def _feature(self, tap: str, places: Mapping[str, tuple[Layer, int, int]]) -> tuple[str, int, int]:
        if tap in places:
            layer, _, reduction = places[tap]
            return tap, layer.cout, reduction
        *place, role = tap.split(".", 3)
        if len(place) < 3 or ".".join(place) not in places:
            raise SettingError(
                f"{self.name} has no features at {tap!r}.{did_you_mean(tap, places)}"
                ' A tap is a row ("stages.5"), a layer ("stages.5.0") or a part of one ("stages.5.0.expand").'
            )
        layer, before, _ = places[".".join(place)]
        channels, size = layer.op.part(role, layer)
        return tap, channels, _reduced(before, layer.size, size)

    def with_classes(self, classes: int) -> Arch:
        return replace(
            self, head=tuple(replace(o, classes=classes) if isinstance(o, Classifier) else o for o in self.head)
        )

    def styled(self, name: str, **changes: Any) -> Arch:
        """The same table under another name and style, such as TensorFlow's padding."""
        return replace(self, name=name, style=replace(self.style, **changes))

    def with_norm(self, norm: Norms, name: str = "") -> Arch:
        """The same table with other norms where it has batch norms, under a name that says so.

        "group": GroupNorm over 16 channels at a time, or as near below as divides them; as many weights as before.
        "layer": LayerNorm over the channels of each position; its convolutions have a bias, as ConvNeXt's do.
        Both give a photo the same logits whatever else is in its batch, so that a batch may be as small as one.
        Source: Wu & He 2018, Table 3 (16 channels per group).

        Raises SettingError where there is no batch norm, or where it has to fold away for use.
        """
        if norm not in get_args(Norms):
            raise SettingError(f"norm is {norm!r}; allowed: {', '.join(map(repr, get_args(Norms)))}.")
        if norm == self.style.norm:
            return self
        if self.style.norm != "batch":
            raise SettingError(f"{self.name} has no batch norms to replace: its norm is {self.style.norm!r}.")
        if kept := next((op for row in self.rows for op in row.ops if op.folds), None):
            raise SettingError(
                f"{self.name} needs its batch norms: {type(kept).__name__} folds them into one convolution. Choose another"
                " network, such as mobilenetv3_small_100."
            )

        def normed(op: Operator) -> Operator:
            return replace(op, norm=norm) if isinstance(op, Norm | Linear) and op.norm == "batch" else op

        def row(stage: Stage) -> Stage:
            return replace(stage, op=tuple(map(normed, stage.op)) if isinstance(stage.op, tuple) else normed(stage.op))

        return replace(
            self,
            name=name or f"{self.name}_{norm}norm",
            stem=tuple(map(row, self.stem)),
            stages=tuple(map(row, self.stages)),
            head=tuple(map(normed, self.head)),
            style=replace(self.style, norm=norm),
        )

    def scaled(self, name: str = "", *, width: float = 1.0, depth: float = 1.0, image: int | None = None) -> Arch:
        """The same table with other numbers, by the family's own policy (Tan & Le 2019, section 3.3).

        Raises SettingError for multipliers that are not above 0 and at most 100.
        """
        for what, value, most in (("width", width, 100), ("depth", depth, 100), ("image", image or self.image, 10**6)):
            if not 0 < value <= most:
                raise SettingError(f"{what} is {value}: give a number above 0, at most {most:,}.")
        rule, last = self.scaling, len(self.stages) - 1
        first: dict[int, Layer] = {}
        for row, layer in self.layers():
            first.setdefault(row, layer)

        rows, wide = list[Stage](), 3
        for i, s in enumerate((*self.stem, *self.stages), -len(self.stem)):
            body, start = i >= 0, first[i + len(self.stem)]
            channels = rule.channels(s.channels, width if body or rule.stem else 1)
            deepens = body and all(op.repeats for op in s.ops)
            layers = rule.layers(s.layers, depth, end=i in (0, last)) if deepens else s.layers
            ops = tuple(op.widened(start.cin, wide, rule) for op in s.ops)
            rows.append(Stage(ops if isinstance(s.op, tuple) else ops[0], channels, layers, s.stride))
            for j in range(s.layers):  # as deep as it was: only the width must show in the ratio of `wide` to `cin`
                wide = ops[j % len(ops)].out_channels(wide, channels, start.size)
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
        """Raises SettingError for an operator, a key or a value that is not allowed."""
        return read(Arch, value)


def _reduced(reduction: int, before: Size, after: Size) -> int:
    return reduction * max(1, round(before[0] / after[0])) if len(before) == len(after) == 2 else reduction
