"""Parameters, BN statistics, multiply-adds and activations of every row, without a number being computed.

Each distinct `Layer` is built and run once on torch's meta device and remembered, so a network of 88 layers costs about
a dozen, and a scaled or mutated one only its new layers.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from ..arch.spec import Arch, Layer
from ..nn import build  # noqa: F401  # pyright: ignore[reportUnusedImport]  (registers the operators' modules)
from ..nn.module import module

PRODUCTS = ("convolution", "addmm", "mm")  # what a convolution or a linear layer calls; the rest is attention


class Cost(NamedTuple):
    """Of one layer."""

    params: int
    bn_stats: int
    madds: int
    attention_madds: int
    activations: int


@dataclass(frozen=True)
class Row:
    """One row of the table, or the whole: all its layers together, for one image.

    `params` are trained; `bn_stats` are running means and variances. `madds` are the multiply-adds of convolutions and
    linear layers, biases not counted; `attention_madds` those of products of two activations (queries with keys, weights
    with values). `activations` are the elements that convolutions and linear layers give out (Radosavovic 2020,
    section 3.1), which follow the time on a memory-bound device better than multiply-adds do.
    """

    name: str
    operator: str
    output: tuple[int, ...]  # (c, h, w) of a map, (n, c) of tokens, (c,) of a vector
    layers: int
    stride: int
    params: int
    bn_stats: int
    madds: int
    attention_madds: int
    activations: int

    def to_json(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(self)} | {"output": list(self.output)}


@dataclass(frozen=True)
class Counts:
    """Of a network at one image size. The rows add up to the total."""

    image: tuple[int, int]  # height, width
    rows: tuple[Row, ...]
    total: Row


def count(arch: Arch, image: int | tuple[int, int] | None = None, *, channels: int = 3) -> Counts:
    """Count `arch` for one image of `image` pixels (a side, or height and width; the paper's own if not given).

    >>> from linnet.arch.names import find
    >>> total = count(find("efficientnet_b0")).total
    >>> f"{total.params:,} {total.bn_stats:,} {total.madds:,}"
    '5,288,548 42,016 385,814,752'
    """
    image = image or arch.image
    size = (image, image) if isinstance(image, int) else image
    layers: list[list[Layer]] = [[] for _ in arch.rows]
    for row, layer in arch.layers(size, channels=channels):
        layers[row].append(layer)
    rows = tuple(_row(name, of_row) for name, of_row in zip(arch.row_names, layers, strict=True))
    stride = max(1, round(size[0] / min([row.output[1] for row in rows if len(row.output) == 3], default=size[0])))
    sums = Cost(*(sum(getattr(row, field) for row in rows) for field in Cost._fields))
    total = Row("total", arch.name, rows[-1].output, sum(r.layers for r in rows), stride, *sums)
    return Counts(size, rows, total)


def _row(name: str, layers: list[Layer]) -> Row:
    costs = [cost(layer) for layer in layers]
    words = " + ".join(dict.fromkeys(str(layer.op) for layer in layers))
    sums = Cost(*(sum(values) for values in zip(*costs, strict=True)))
    return Row(name, words, layers[-1].output_shape, len(layers), layers[0].stride, *sums)


@lru_cache(maxsize=65536)
def cost(layer: Layer) -> Cost:
    """Of one layer, counted on the meta device the first time it is seen."""
    activations = 0

    def add(_module: nn.Module, _input: object, output: Tensor) -> None:
        nonlocal activations
        activations += output.numel()

    with torch.device("meta"):
        net = module(layer.op, layer).eval()
        x = torch.empty(1, *layer.input_shape)
    for m in net.modules():
        if isinstance(m, nn.Conv2d | nn.Linear):
            m.register_forward_hook(add)
    flops = FlopCounterMode(display=False)
    with torch.no_grad(), flops:
        net(x)
    # Halved: the counter takes a multiplication and an addition for two. Names are such as "aten.convolution".
    by_product = {str(op).rpartition(".")[2]: n // 2 for op, n in flops.get_flop_counts().get("Global", {}).items()}
    return Cost(
        params=sum(p.numel() for p in net.parameters()),
        bn_stats=sum(b.numel() for name, b in net.named_buffers() if name.endswith(("running_mean", "running_var"))),
        madds=sum(n for product, n in by_product.items() if product in PRODUCTS),
        attention_madds=sum(n for product, n in by_product.items() if product not in PRODUCTS),
        activations=activations,
    )
