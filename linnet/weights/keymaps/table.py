"""How a table of names reads, and the numbers that fill its lines.

A table has one line per part of a network: our part on the left, the other library's module and its norm on the right.

    "stem.0.0":            ("conv1", "bn1"),                                    a row's only layer, by its own name
    "Bottleneck squeeze":  ("layer{g1}.{i}.conv1", "layer{g1}.{i}.bn1"),         a part of every layer of that operator
    "Encoder mlp.{n}":     ("blocks.{b}.mlp.fc{n1}",),                           {n} stands for any number in our part
    "stem.1.0.positions":  ("pos_embed",),                                      a parameter that is no module's weight
    "head.linear.0":       ("conv_head (1x1)",),                                a linear layer here, a 1 x 1 convolution there
    "head.linear1.0":      ("pre_logits.fc1 (7x7)",),                           a linear layer of a flattened map, a 7 x 7 convolution there
    "Block scale":         ("blocks.{b}.gamma (C11)",),                         [C] here, [C, 1, 1] there
    "Swin a.bias + 0 + c": ("attn.qkv.bias",),                                  several of ours, or zeros, one after another
    "Swin +index":         ("attn.relative_position_index",),                   theirs alone: `Keys.made` computes it

Numbers of a layer: {s} its row and {b} its place in the row; {g} its group and {i} its place in that, where a group
begins with a stride (or as `Keys.groups` says); {f} its place among all; {stages}, {groups} and {blocks} how many rows,
groups and layers there are. A number behind a name is added: {s7} is the row plus 7, {s-1} the row less 1; one before
it multiplies: {2s1} is twice the row, plus 1.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache

from torch import Tensor

from ...arch.spec import Arch, Layer, Operator

Table = dict[str, tuple[str, ...]]


def operator_name(layer: Layer) -> str:
    return type(layer.op).__name__


def nothing(layer: Layer) -> dict[str, int]:
    return {}


@dataclass(frozen=True)
class Keys:
    """A family's tables, by the other library's name. The first of all families' that fits a network holds."""

    fits: Callable[[Arch], bool]
    tables: Mapping[str, Table]
    kind: Callable[[Layer], str] = operator_name  # the word before a part, for a layer
    numbers: Callable[[Layer], dict[str, int]] = nothing  # more numbers to fill in, for a layer
    made: Mapping[str, Callable[[Layer], Tensor]] = field(default_factory=dict)  # what only the other library keeps
    dropped: str = ""  # a regular expression: names in their files that the network in use does not have
    renamed: Mapping[str, str] = field(default_factory=dict)  # in names of their older files: what, and by what
    groups: Mapping[int, tuple[int, ...]] = field(default_factory=dict)  # of so many layers, so many in each group


def uses(*operators: type[Operator]) -> Callable[[Arch], bool]:
    """Whether a network has a layer of one of these operators in its stages."""
    return lambda arch: any(isinstance(op, operators) for stage in arch.stages for op in stage.ops)


class Numbers(dict[str, int]):
    """Fills "{s7}": the value of "s", plus 7; and "{2s1}": twice it, plus 1."""

    def __missing__(self, key: str) -> int:
        times, name, added = re.fullmatch(r"(\d*)([a-z]+)(-?\d*)", key).groups()  # type: ignore[union-attr]
        if name == key:
            raise KeyError(key)
        return int(times or 1) * self[name] + int(added or 0)


@dataclass(frozen=True)
class Place:
    """One layer of the body: its kind, and the numbers that say where it is."""

    kind: str
    numbers: Numbers
    layer: Layer


def places(arch: Arch, keys: Keys) -> tuple[dict[str, Place], Numbers]:
    """ "stages.3.0" -> its place, for every layer of the stages; and the numbers of the whole network."""
    first = len(arch.stem)
    body = [(row - first, layer) for row, layer in arch.layers() if first <= row < first + len(arch.stages)]
    starts = {f for f, (_, layer) in enumerate(body) if layer.stride > 1} | {0}
    if given := keys.groups.get(len(body)):
        starts = {sum(given[:n]) for n in range(len(given))}
    whole = Numbers(stages=len(arch.stages), groups=len(starts), blocks=len(body))
    found: dict[str, Place] = {}
    row, b, g, i = -1, 0, -1, 0
    for f, (s, layer) in enumerate(body):
        row, b = s, b + 1 if s == row else 0
        g, i = (g + 1, 0) if f in starts else (g, i + 1)
        numbers = Numbers(whole | {"s": s, "b": b, "g": g, "i": i, "f": f} | keys.numbers(layer))
        found[f"stages.{s}.{b}"] = Place(keys.kind(layer), numbers, layer)
    return found, whole


@cache
def pattern(key: str) -> re.Pattern[str]:
    """A key of a table as a regular expression: {n} stands for any number."""
    return re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>\\d+)", re.escape(key)))
