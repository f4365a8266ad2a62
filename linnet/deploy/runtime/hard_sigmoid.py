"""Hard swish and hard sigmoid in int8 for ONNX Runtime, which computes both in float32 between two roundings by itself."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import onnx

STEPS = 256  # of uint8


def with_hard_sigmoids(model: onnx.ModelProto) -> onnx.ModelProto:
    """The float model with each hard swish written as what it is, x times a hard sigmoid of x: the product is known in int8."""
    import onnx

    nodes = list(model.graph.node)
    del model.graph.node[:]
    for node in nodes:
        if node.op_type == "HardSwish":
            (x,), (y,), layer = node.input, node.output, node.name.partition("/")[0]
            gate = onnx.helper.make_node(
                "HardSigmoid", [x], [f"{y}.gate"], f"{layer}/HardSigmoid", alpha=1 / 6, beta=0.5
            )
            model.graph.node.extend([gate, onnx.helper.make_node("Mul", [x, f"{y}.gate"], [y], f"{layer}/Mul")])
        else:
            model.graph.node.append(node)
    return model


def step_hard_sigmoids(model: onnx.ModelProto) -> None:
    """In a quantised model, let rounding itself be the hard sigmoid: x/6 + 1/2, cut off at 0 and 1.

    In steps of 6/256 from -3 on, uint8 holds x as 0 to 255 and cuts off the rest; the same numbers in steps of 1/256 are
    its hard sigmoid. ONNX Runtime makes one table of 256 numbers of two roundings that have an operator between them which
    it knows in int8; here that is a leaky ReLU that leaks everything. Where the result is not rounded nothing changes.
    """
    import onnx
    from onnx import numpy_helper

    makers = {name: node for node in model.graph.node for name in node.output}
    users = defaultdict[str, list[onnx.NodeProto]](list)
    for node in model.graph.node:
        for name in node.input:
            users[name].append(node)

    def step(node: onnx.NodeProto, size: float, zero: int) -> None:
        del node.input[1:]
        for value in (np.asarray(size, np.float32), np.asarray(zero, np.uint8)):
            name = f"{node.output[0]}.{value.dtype}"
            node.input.append(name)
            model.graph.initializer.append(numpy_helper.from_array(value, name))

    for node in [node for node in model.graph.node if node.op_type == "HardSigmoid"]:
        given = {one.name: one.f for one in node.attribute}
        before, after = makers.get(node.input[0]), users[node.output[0]]
        around = [one.op_type if one else "" for one in (before, *after)]
        ours = abs(given.get("alpha", 0.2) - 1 / 6) < 1e-6 and given.get("beta", 0.5) == 0.5
        if ours and around == ["DequantizeLinear", "QuantizeLinear"]:
            node.op_type = "LeakyRelu"
            del node.attribute[:]
            node.attribute.append(onnx.helper.make_attribute("alpha", 1.0))
            step(after[0], 6 / STEPS, STEPS // 2)
            for back in users[after[0].output[0]]:
                step(back, 1 / STEPS, 0)
