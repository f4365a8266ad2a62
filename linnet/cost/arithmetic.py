"""The verb `cost`: what one operator costs, beside the plain convolution and the other orders that papers compare."""

from __future__ import annotations

import ast
import json
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ..arch.operator import Conv, Layer, Operator, Style
from ..arch.read import read
from ..arch.show import Sheet, show
from ..errors import SettingError

if TYPE_CHECKING:
    from .count import Cost

BYTES = 4  # of a number in fp32


@dataclass(frozen=True)
class Comparison:
    """One operator and what it is compared with, for one image: a label and the cost of each."""

    layer: Layer
    rows: tuple[tuple[str, Cost], ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "operator": str(self.layer.op),
            "input": list(self.layer.input_shape),
            "output": list(self.layer.output_shape),
            "rows": [{"what": what, **c._asdict(), "memory_bytes": _memory(c)} for what, c in self.rows],
        }

    def __str__(self) -> str:
        first = self.rows[0][1]
        cells = tuple(
            (
                what,
                c.params,
                c.madds,
                c.attention_madds or None,
                _memory(c) // 1024,
                Decimal(f"{c.madds / first.madds:.2f}") if first.madds else None,
            )
            for what, c in self.rows
        )
        columns = ("", "params", "MAdds", "attention", "memory KiB", "MAdds : first")
        sizes = "{} -> {}".format(*("x".join(map(str, s)) for s in (self.layer.input_shape, self.layer.output_shape)))
        note = "memory: weights and what the layer's convolutions give out, in fp32; one image"
        return show(Sheet(f"{self.layer.op}: {sizes}", columns, cells, note=note), "text")


def cost_of(operator: str, cin: int, cout: int, *, image: int = 56, stride: int = 1, act: str = "relu") -> Comparison:
    """Count one operator: parameters, multiply-adds and memory, beside a plain convolution of the same kernel.

    There is a plain one where the operator has a kernel k that is odd. Depthwise-separable ones are also shown in Xception's order (pointwise first), a 5 x 5 beside two 3 x 3, and
    squeeze-and-excitation's share apart (2 C^2 r).

    Args:
        operator: As a table writes it, such as "SepConv(k=3)", "MBConv(t=6, k=5, se=0.25)" or "Conv(k=3)".
        cin: Channels that go in.
        cout: Channels that come out.
        image: Side in pixels of the map that goes in.
        stride: Of the operator.
        act: Activation between its parts; it changes no count.
    """
    from .count import cost

    op = operator_from(operator)
    for what, value in (("cin", cin), ("cout", cout), ("image", image), ("stride", stride)):
        if value < 1:
            raise SettingError(f"{what} is {value}: give 1 or more.")
    style = read(Style, {"act": act}, "style")
    try:
        layer = Layer(op, cin, op.out_channels(cin, cout, (image, image)), stride, (image, image), 1, style)
        rows = [(str(op), cost(layer))]
        if se := getattr(op, "se", 0):
            without = replace(layer, op=replace(op, se=type(se)(0)))  # type: ignore[call-arg]
            rows.append(("the same without squeeze-and-excitation", cost(without)))
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        raise SettingError(
            f"{op} cannot be counted on a map of {cin} channels and {image} x {image} pixels: it is for tokens or"
            f" vectors, or its numbers do not fit ({' '.join(str(error).split())[:100]})."
        ) from None
    k = getattr(op, "k", None)
    if isinstance(k, int) and k % 2:
        rows[1:1] = _convolutions(layer, k, cout)
    return Comparison(layer, tuple(rows))


def _convolutions(layer: Layer, k: int, cout: int) -> list[tuple[str, Cost]]:
    """What convolutions of k x k, or in place of one, cost where `layer` stands."""
    from .count import cost

    op, cin, stride, rows = layer.op, layer.cin, layer.stride, list[tuple[str, "Cost"]]()

    def conv(k: int, cin: int, cout: int, stride: int, size: tuple[int, ...], groups: int = 1) -> Cost:
        return cost(Layer(Conv(k=k, groups=groups), cin, cout, stride, size, 1, layer.style))

    if not isinstance(op, Conv) or op.groups > 1:
        rows.append((f"plain Conv(k={k})", conv(k, cin, layer.cout, stride, layer.size)))
    if type(op).__name__ == "SepConv":
        first, second = conv(1, cin, cout, 1, layer.size), conv(k, cout, cout, stride, layer.size, cout)
        rows.append(("Xception's order: pointwise, then depthwise", _sum(first, second)))
    if isinstance(op, Conv) and k == 5 and op.groups == 1:
        first, second = conv(3, cin, cout, stride, layer.size), conv(3, cout, cout, 1, layer.out_size)
        rows.append(("two Conv(k=3)", _sum(first, second)))
    return rows


def operator_from(text: str) -> Operator:
    """`text` as a table writes an operator: a name, and keyword arguments that are plain values. Nothing is run.

    Raises: SettingError for a text that is no operator, or one with a name or value that is not allowed.
    """
    try:
        tree = ast.parse(text.strip(), mode="eval").body
        if isinstance(tree, ast.Name):
            name, given = tree.id, {}
        elif isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) and not tree.args:
            name = tree.func.id
            given = {str(k.arg): ast.literal_eval(k.value) for k in tree.keywords}
        else:
            raise ValueError
        value = json.loads(json.dumps(given))
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
        raise SettingError(
            f"{text!r} is no operator. Write it as a table does, such as SepConv(k=3) or MBConv(t=6, k=5, se=0.25)."
        ) from None
    return read(Operator, {"op": name, **value}, "operator")


def _sum(*parts: Cost) -> Cost:
    return type(parts[0])(*(sum(values) for values in zip(*parts, strict=True)))


def _memory(c: Cost) -> int:
    return BYTES * (c.params + c.bn_stats + c.activations)
