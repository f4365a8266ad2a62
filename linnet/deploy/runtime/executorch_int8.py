"""int8 for ExecuTorch: model.int8.pte, made with XNNPACKQuantizer, the quantiser of ExecuTorch's makers for XNNPACK."""

from __future__ import annotations

import copy
from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..quiet import quiet
from .executorch import lowered
from .onnx_int8 import layer_of

if TYPE_CHECKING:
    import torch

    from ...data.preprocess import Preprocess
    from ...nn.net import Net

# How activations' ranges are taken from the calibration images: the one that loses least of their histogram, the quantiser's
# own way, or the widest of all.
SETTINGS = ("histogram", "widest")


@dataclass(frozen=True, eq=False)
class Float:
    """A network as torch.export has it, in float32, the calibration images, one at a time, and what was made of them."""

    module: torch.fx.GraphModule
    example: torch.Tensor
    images: tuple[torch.Tensor, ...]
    inside: str  # what modules' names begin with, where pixels are normalised before them
    made: dict[bytes, tuple[str, Set[str]]] = field(
        default_factory=dict
    )  # by file its setting and its layers in float32


def prepare(net: Net, preprocess: Preprocess, images: Sequence[np.ndarray], *, uint8: bool = False) -> Float:
    """The network as torch.export has it, with batches of calibration images as its file takes them."""
    import torch

    from ..graph import to_export

    module, example = to_export(net, preprocess, uint8=uint8, batch=1)
    with quiet():
        graph: Any = torch.export.export(module, (example,)).module()
    one_by_one = [image for batch in images for image in torch.from_numpy(np.ascontiguousarray(batch)).split(1)]
    return Float(graph, example, tuple(one_by_one), "net." if uint8 else "")


def quantise(prepared: Float, setting: str, float_layers: Set[str] = frozenset()) -> list[bytes]:
    """model.int8.pte by one of SETTINGS, with these layers left in float32.

    Weights by channel without an offset, activations by tensor with one. Means and every curve but ReLU stay float32: XNNPACK
    has no int8 for them.
    """
    file = lowered(rounded(prepared, setting, float_layers), prepared.example)
    prepared.made[file] = setting, float_layers
    return [file]


def rounded(prepared: Float, setting: str, float_layers: Set[str]) -> torch.fx.GraphModule:
    import torch

    with quiet():
        from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e  # type: ignore[import-not-found]

        watched = prepare_pt2e(copy.deepcopy(prepared.module), quantiser_of(prepared, setting, float_layers))
        with torch.inference_mode():
            for image in prepared.images:
                watched(image)
        made: torch.fx.GraphModule = convert_pt2e(watched)
    return made


def quantiser_of(prepared: Float, setting: str, float_layers: Set[str]) -> Any:
    """XNNPACK's quantiser for all layers but `float_layers` and what normalises pixels."""
    from dataclasses import replace

    import torch
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (  # type: ignore[import-not-found]
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )
    from torchao.quantization.pt2e import MinMaxObserver  # type: ignore[import-not-found]
    from torchao.quantization.pt2e.quantizer import QuantizationAnnotation  # type: ignore[import-not-found]
    from torchao.quantization.pt2e.quantizer.quantizer import Q_ANNOTATION_KEY  # type: ignore[import-not-found]

    cut_off = (torch.ops.aten.hardtanh.default, torch.ops.aten.hardtanh_.default)

    class Quantiser(XNNPACKQuantizer):  # type: ignore[misc]
        """It knows that ReLU belongs to the convolution before it, not that ReLU6 does; what comes between is far wider."""

        def annotate(self, model: torch.fx.GraphModule) -> torch.fx.GraphModule:
            model = super().annotate(model)
            for node in model.graph.nodes:
                before = node.args[0].meta.get(Q_ANNOTATION_KEY) if node.target in cut_off else None
                if before is not None and before.output_qspec is not None and len(node.args[0].users) == 1:
                    node.meta[Q_ANNOTATION_KEY] = QuantizationAnnotation(
                        output_qspec=before.output_qspec, _annotated=True
                    )
                    before.output_qspec = None
            return model

    config = get_symmetric_quantization_config(is_per_channel=True)
    if setting == "widest":
        widest = MinMaxObserver.with_args(eps=2**-12)
        activation = replace(config.input_activation, observer_or_fake_quant_ctr=widest)
        config = replace(config, input_activation=activation, output_activation=activation)

    def chosen(node: torch.fx.Node) -> bool:
        if node.op == "get_attr":  # a weight or bias: it is asked for together with the layer that has it
            return True
        path = [name for name, _ in node.meta.get("nn_module_stack", {}).values()][-1:]
        layer = layer_of(path[0].removeprefix(prepared.inside)) if path else ""
        return layer != "" and layer not in float_layers

    return Quantiser().set_global(config).set_filter_function(chosen)


def with_ending(prepared: Float, files: Sequence[bytes], ending: str) -> list[bytes]:
    """model.int8.pte that gives probabilities (see graph.ENDINGS): computed in float32, from the same logits."""
    from torch import nn

    from ..graph import ENDINGS

    return [lowered(nn.Sequential(rounded(prepared, *prepared.made[files[0]]), ENDINGS[ending]()), prepared.example)]
