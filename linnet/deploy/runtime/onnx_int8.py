"""int8 for ONNX Runtime: model.int8.onnx, its weights int8 by channel, its activations uint8 by tensor.

Activations unsigned and weights signed is what processors with VNNI multiply; `load_onnx` has those without it do the same.
"""

from __future__ import annotations

import copy
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...cores import available_cores
from .hard_sigmoid import step_hard_sigmoids, with_hard_sigmoids
from .onnx import ended, exported

if TYPE_CHECKING:
    import onnx

    from ...data.preprocess import Preprocess
    from ...nn.net import Net

OPERATORS = ("Conv", "Gemm", "MatMul", "Add", "Mul", "Sigmoid", "Relu", "Clip", "GlobalAveragePool")
BATCH = 8  # images at a time whose activations are all held


@dataclass(frozen=True, eq=False)
class Float:
    """A network as ONNX in float32, and what its activations were on the calibration images.

    low, high: by tensor, each image's least and largest value, float32 [n]. means: of what goes into convolutions and
    linear layers, by tensor, per channel.
    """

    model: onnx.ModelProto
    low: dict[str, np.ndarray]
    high: dict[str, np.ndarray]
    means: dict[str, np.ndarray]

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers that have something to quantise, in the network's order."""
        return tuple(dict.fromkeys(layer_of(node.name) for node in quantisable(self.model)))


def layer_of(node: str) -> str:
    """The layer of the table that a node belongs to: its activation counts to it, a gate is one layer with all its parts.

    >>> layer_of("stages.0.0.depthwise.act/Mul"), layer_of("stages.0.0.gate.reduce/Conv")
    ('stages.0.0.depthwise', 'stages.0.0.gate')
    """
    return re.sub(r"(\.gate)\..*$|\.act$", r"\1", node.partition("/")[0])


def quantisable(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    """The nodes that can compute in int8; not those that normalise pixels."""
    return [n for n in model.graph.node if n.op_type in OPERATORS and not n.name.startswith("net/")]


def prepare(net: Net, preprocess: Preprocess, images: Sequence[np.ndarray], *, uint8: bool = False) -> Float:
    """The network as ONNX, run on batches of calibration images as its file takes them."""
    import onnx

    from ..graph import to_export

    model = with_hard_sigmoids(exported(*to_export(net, preprocess, uint8=uint8)))
    constants = {one.name for one in model.graph.initializer}
    names = [
        name for node in quantisable(model) for name in (*node.input, *node.output) if name and name not in constants
    ]
    inner = list(dict.fromkeys(name for name in names if name not in ("images", "logits")))
    means = {node.input[0]: list[np.ndarray]() for node in quantisable(model) if node.op_type in ("Conv", "Gemm")}
    low, high = defaultdict[str, list[np.ndarray]](list), defaultdict[str, list[np.ndarray]](list)
    for batch, values in zip(images, outputs(model, inner, images), strict=True):
        for name, value in {**values, "images": batch}.items():
            flat = value.reshape(len(value) if value.ndim else 1, -1)  # some have no batch, such as an attention's bias
            low[name].append(flat.min(1))
            high[name].append(flat.max(1))
            if name in means:
                means[name].append(value.mean((2, 3)) if value.ndim == 4 else value)
    least, largest = ({name: np.concatenate(parts) for name, parts in one.items()} for one in (low, high))
    mean = {name: np.concatenate(parts).mean(0) for name, parts in means.items()}
    return Float(onnx.shape_inference.infer_shapes(model), least, largest, mean)


def outputs(
    model: onnx.ModelProto, names: Sequence[str], images: Sequence[np.ndarray]
) -> Iterator[dict[str, np.ndarray]]:
    """By name what these tensors and the logits are, for each batch of images."""
    import onnx
    import onnxruntime

    shown = copy.deepcopy(model)
    shown.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = available_cores()
    # Fused, some of these tensors would not be there.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(shown.SerializeToString(), options, providers=["CPUExecutionProvider"])
    wanted = [*names, "logits"]
    for batch in images:
        yield dict(zip(wanted, map(np.asarray, session.run(wanted, {"images": batch})), strict=True))


# How activations' ranges are taken from the calibration images: the widest of all, or the usual one, the mean of each
# image's ends, which a single odd image does not stretch; and whether biases make up for what rounding weights shifts.
SETTINGS = ("widest", "usual", "widest, biases corrected", "usual, biases corrected")


def quantise(prepared: Float, setting: str, float_layers: Set[str] = frozenset()) -> list[bytes]:
    """model.int8.onnx by one of SETTINGS, with these layers left in float32."""
    from onnxruntime.quantization import CalibrationMethod, QuantType
    from onnxruntime.quantization.calibrate import TensorsData
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

    ends = (np.min, np.max) if setting.startswith("widest") else (np.mean, np.mean)
    ranges: dict[str, Any] = {
        name: tuple(
            np.asarray(end(values[name]), np.float32)
            for end, values in zip(ends, (prepared.low, prepared.high), strict=True)
        )
        for name in prepared.low
    }
    model = copy.deepcopy(prepared.model)
    chosen = [node for node in quantisable(model) if layer_of(node.name) not in float_layers]
    if not chosen:
        return [model.SerializeToString()]
    if setting.endswith("corrected"):
        correct_biases(model, chosen, prepared.means)
    quantizer = QDQQuantizer(
        model, True, False, QuantType.QInt8, QuantType.QUInt8, TensorsData(CalibrationMethod.MinMax, ranges),
        [node.name for node in chosen], [], list(OPERATORS),
        {"OpTypesToExcludeOutputQuantization": ["Gemm", "MatMul"]},  # their kernels give float32 as they are: the logits
    )  # fmt: skip
    quantizer.quantize_model()
    made = quantizer.model.model
    step_hard_sigmoids(made)
    feed_in_float(made, prepared.model, float_layers)
    quantizer.model.topological_sort()
    del made.graph.value_info[:]
    made.producer_name, made.producer_version = "linnet", ""
    return [made.SerializeToString()]


def with_ending(prepared: Float, files: Sequence[bytes], ending: str) -> list[bytes]:
    """model.int8.onnx that gives probabilities (see graph.ENDINGS): computed in float32, from the same logits."""
    import onnx

    return [ended(onnx.load_from_string(files[0]), ending).SerializeToString()]


def feed_in_float(model: onnx.ModelProto, true: onnx.ModelProto, layers: Set[str]) -> None:
    """Give these layers what comes out of those before them as it is: a value that int8 cannot hold stays whole.

    A convolution whose result nobody rounds is computed in float32 too, by ONNX Runtime, with its rounded weights. The
    quantiser takes a ReLU away where rounding cuts off the same; for such a layer it is put back, as in the `true` model.
    """
    if not layers:
        return
    rounds = {node.output[0]: node.input[0] for node in model.graph.node if node.op_type == "QuantizeLinear"}
    backs = {node.output[0]: node.input[0] for node in model.graph.node if node.op_type == "DequantizeLinear"}
    whole = {back: rounds[held] for back, held in backs.items() if held in rounds}
    kept = {node.name for node in model.graph.node}
    gone = {node.output[0]: node for node in true.graph.node if node.name not in kept}
    for at, node in reversed(list(enumerate(model.graph.node))):
        if layer_of(node.name) in layers:
            for place, name in enumerate(node.input):
                node.input[place] = value = whole.get(name, name)
                if value in gone and name in whole:
                    again = copy.deepcopy(gone[value])
                    again.input[0], again.output[0] = value, f"{value}.{at}"
                    again.name, node.input[place] = f"{again.name}.{at}", again.output[0]
                    model.graph.node.insert(at, again)
    needed = {name for node in model.graph.node for name in node.input}
    needed -= {one.name for one in model.graph.initializer} | {name for n in model.graph.node for name in n.output}
    model.graph.initializer.extend(one for one in true.graph.initializer if one.name in needed)
    for kind in ("DequantizeLinear", "QuantizeLinear"):
        used = {name for node in model.graph.node for name in node.input} | {one.name for one in model.graph.output}
        for node in [node for node in model.graph.node if node.op_type == kind and node.output[0] not in used]:
            model.graph.node.remove(node)


def correct_biases(model: onnx.ModelProto, nodes: Sequence[onnx.NodeProto], means: dict[str, np.ndarray]) -> None:
    """Add to each bias what rounding the weights takes from the layer's mean output: (W - rounded W) times the mean input.

    ONNX Runtime's quantiser has no bias correction. Rounding errors of a channel's weights do not cancel where inputs are
    mostly positive, as they are behind an activation; a depthwise filter has only nine of them.
    Source: Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias Correction", section 4.2, with
    means that were measured.
    """
    from onnx import numpy_helper

    weights = {one.name: one for one in model.graph.initializer}
    for node in nodes:
        if node.op_type not in ("Conv", "Gemm") or node.input[1] not in weights:
            continue
        given = {one.name: one.i for one in node.attribute}
        weight = numpy_helper.to_array(weights[node.input[1]])
        if node.op_type == "Gemm" and not given.get("transB"):
            weight = weight.T
        error = (weight - rounded(weight)).reshape(*weight.shape[:2], -1).sum(2)  # [out, in of a group]
        groups = given.get("group", 1)
        inputs = np.repeat(means[node.input[0]].reshape(groups, -1), len(weight) // groups, 0)
        shift = (error * inputs).sum(1)
        bias = numpy_helper.to_array(weights[node.input[2]]) if len(node.input) > 2 else np.zeros_like(shift)
        name = f"{node.input[1]}.bias"
        model.graph.initializer.append(numpy_helper.from_array((bias + shift).astype(np.float32), name))
        if len(node.input) > 2:
            node.input[2] = name
        else:
            node.input.append(name)


def rounded(weight: np.ndarray) -> np.ndarray:
    """Weights [out, ...] as int8 holds them: each output channel's largest is 127 steps, none is offset."""
    step = np.abs(weight).reshape(len(weight), -1).max(1).reshape(-1, *[1] * (weight.ndim - 1)) / 127
    step[step == 0] = 1
    return np.round(weight / step) * step


def noise(prepared: Float, quantised: bytes, images: Sequence[np.ndarray]) -> dict[str, float]:
    """By layer the ratio of its output's signal to what int8 adds to it, all before it being int8 too, in dB."""
    import onnx

    model = onnx.load_from_string(quantised)
    there = {name for node in model.graph.node for name in node.output}
    last = {layer_of(node.name): node.output[0] for node in prepared.model.graph.node if node.output[0] in there}
    # What comes out of a layer is what the next one gets: rounded, and cut off where an activation would have cut it.
    after = {name: f"{name}_DequantizeLinear_Output" for name in last.values()}
    found = {layer: after[name] if after[name] in there else name for layer, name in last.items()}
    layers = [layer for layer in prepared.layers if layer in last]
    sums = {layer: np.zeros(2) for layer in layers}
    true = outputs(prepared.model, [last[layer] for layer in layers if last[layer] != "logits"], images)
    said = outputs(model, [found[layer] for layer in layers if found[layer] != "logits"], images)
    for one, other in zip(true, said, strict=True):
        for layer, pair in sums.items():
            signal = one[last[layer]].astype(np.float64)
            pair += (signal**2).sum(), ((other[found[layer]] - signal) ** 2).sum()
    return {layer: float(10 * np.log10(max(pair[0], 1e-30) / max(pair[1], 1e-30))) for layer, pair in sums.items()}
