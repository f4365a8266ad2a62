"""int8 for LiteRT: model.int8.tflite, made with AI Edge Quantizer, the quantiser of LiteRT's makers."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..quiet import silent
from .litert import convert

if TYPE_CHECKING:
    from ...data.preprocess import Preprocess
    from ...nn.net import Net

SETTINGS = ("moving average",)  # of each image's ends, as the quantiser does it unasked
# Operators by the names of their results: what normalises pixels, and what gives the file's result, which has no other name.
PIXELS, RESULT = r"\.Pixels(_\d+)?;", r"^serving_default_output"


@dataclass(frozen=True, eq=False)
class Float:
    """A network as LiteRT has it, in float32, what its numbers are on the calibration images, and what it was made of."""

    model: bytes
    ranges: dict[str, Any]
    given: tuple[Net, Preprocess, Sequence[np.ndarray], bool]
    ending: str
    made: dict[bytes, Set[str]] = field(default_factory=dict)  # by file the layers that are left in float32


def prepare(
    net: Net, preprocess: Preprocess, images: Sequence[np.ndarray], *, uint8: bool = False, ending: str = ""
) -> Float:
    """The network as LiteRT's file, run on batches of calibration images, one at a time."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        convert(net, preprocess, path, uint8=uint8, ending=ending)
        model = path.read_bytes()
    with silent():
        from ai_edge_litert.interpreter import Interpreter  # type: ignore[import-not-found]

        (signature, names), *_ = Interpreter(model_content=model).get_signature_list().items()
        (name,) = names["inputs"]
        shown = [image if uint8 else image.transpose(1, 2, 0) for batch in images for image in batch]
        singles = [{name: np.ascontiguousarray(image)[None]} for image in shown]
        ranges = quantiser(model, (PIXELS,)).calibrate({signature: singles})
    return Float(model, ranges, (net, preprocess, images, uint8), ending)


def quantise(prepared: Float, setting: str, float_layers: Set[str] = frozenset()) -> list[bytes]:
    """model.int8.tflite by one of SETTINGS, with these layers left in float32.

    Weights by channel without an offset, activations by tensor with one. Operators that the quantiser does not know stay float32.
    """
    kept = [PIXELS, *map(results_of, sorted(float_layers))]
    if prepared.ending or last_layer(prepared.given[0]) in float_layers:
        kept.append(RESULT)
    with silent():
        made = quantiser(prepared.model, kept).quantize(prepared.ranges, enable_progress_report=False)
        file = bytes(made.quantized_model)
    prepared.made[file] = float_layers
    return [file]


def quantiser(model: bytes, kept: Sequence[str]) -> Any:
    """LiteRT's quantiser, told to leave alone the operators whose results' names match one of `kept`."""
    from ai_edge_quantizer.algorithm_manager import AlgorithmName  # type: ignore[import-not-found]
    from ai_edge_quantizer.qtyping import TFLOperationName  # type: ignore[import-not-found]
    from ai_edge_quantizer.quantizer import Quantizer  # type: ignore[import-not-found]

    made, all_operators = Quantizer(bytearray(model)), TFLOperationName.ALL_SUPPORTED
    made.add_static_config(".*", all_operators, 8, 8)
    for end in (TFLOperationName.INPUT, TFLOperationName.OUTPUT):  # what goes in and comes out is float32
        made.update_quantization_recipe(".*", end, algorithm_key=AlgorithmName.NO_QUANTIZE)
    for operators in kept:
        made.update_quantization_recipe(operators, all_operators, algorithm_key=AlgorithmName.NO_QUANTIZE)
    return made


def last_layer(net: Net) -> str:
    """The layer that gives the logits."""
    from torch import nn

    return [name for name, m in net.named_modules() if isinstance(m, nn.Linear | nn.Conv2d)][-1]


def results_of(layer: str) -> str:
    """What the names of a layer's results match: LiteRT writes them as a path of "class_attribute", and an end.

    What was fused comes before, joined with ";": its own name is the last. Containers that are never called themselves, such as
    the head, are not in it. Its activation counts to a layer, and to a gate all its parts; a block's sum has the block's name.

    >>> bool(re.search(results_of("stages.0.1"), "nn.Net_net/nn.Sequential_stages/nn.Sequential_0/nn.Block_1;2"))
    True
    >>> bool(re.search(results_of("stages.0.1"), "nn.Net_net/nn.Sequential_stages/nn.Sequential_0/nn.Block_1/nn.Conv_project;"))
    False
    """
    *containers, own = [rf"/[^/;]*_{re.escape(name)}" for name in layer.split(".")]
    path = "".join(f"({name})?" for name in containers) + own
    inside = r"(/[^;]*)?" if layer.endswith(".gate") else r"(/[^/;]*_act)?"
    return rf"\.Net(_[^/;]*)?{path}{inside};\d*;?$"


def with_ending(prepared: Float, files: Sequence[bytes], ending: str) -> list[bytes]:
    """model.int8.tflite that gives probabilities (see graph.ENDINGS): computed in float32, from the same logits."""
    net, preprocess, images, uint8 = prepared.given
    return quantise(prepare(net, preprocess, images, uint8=uint8, ending=ending), SETTINGS[0], prepared.made[files[0]])
