"""int8 for OpenVINO: openvino-int8/model.xml and .bin, made with NNCF, the quantiser of OpenVINO's makers."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..quiet import quiet
from .onnx import exported
from .onnx_int8 import layer_of
from .openvino import same_signal_stack

if TYPE_CHECKING:
    from ...data.preprocess import Preprocess
    from ...nn.net import Net

# NNCF's two bias corrections: a layer at a time on its own input's mean, or one after the other on what comes out of
# those before it, which takes some minutes.
SETTINGS = ("fast bias correction", "bias correction")


@dataclass(frozen=True, eq=False)
class Float:
    """A network as OpenVINO has it, in float32, and the calibration images, one at a time."""

    model: Any
    images: tuple[np.ndarray, ...]


def prepare(net: Net, preprocess: Preprocess, images: Sequence[np.ndarray], *, uint8: bool = False) -> Float:
    """The network as OpenVINO reads it from ONNX, with batches of calibration images as its file takes them."""
    # NNCF and OpenVINO report their use to their makers over the network unless this package, which does it, is missing.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    from ..graph import to_export

    model = openvino.Core().read_model(exported(*to_export(net, preprocess, uint8=uint8)).SerializeToString(), b"")
    return Float(model, tuple(image[None] for batch in images for image in batch))


def quantise(prepared: Float, setting: str, float_layers: Set[str] = frozenset()) -> list[bytes]:
    """model.xml and model.bin by one of SETTINGS, with these layers left in float.

    Weights by channel without an offset, activations with one ("mixed"): swish and hard swish reach below nothing.
    """
    operators = prepared.model.get_ordered_ops()
    whole = float_layers | {"net"}  # what normalises pixels
    kept = [one.get_friendly_name() for one in operators if layer_of(one.get_friendly_name()) in whole]
    attends = any(one.get_type_name() == "Softmax" for one in operators)
    with quiet(), same_signal_stack():  # NNCF's log and its progress bars would stand between ours
        import nncf

        made = nncf.quantize(
            prepared.model, nncf.Dataset(list(prepared.images)), subset_size=len(prepared.images),
            preset=nncf.QuantizationPreset.MIXED, fast_bias_correction=setting == "fast bias correction",
            model_type=nncf.ModelType.TRANSFORMER if attends else None,
            ignored_scope=nncf.IgnoredScope(names=kept, validate=False) if kept else None,
        )  # fmt: skip
    return saved(made)


def with_ending(prepared: Float, files: Sequence[bytes], ending: str) -> list[bytes]:
    """model.xml and model.bin that give probabilities (see graph.ENDINGS): computed in float32, from the same logits."""
    import openvino
    from openvino import opset13

    model = openvino.Core().read_model(files[0], files[1])
    logits = model.output(0).get_node().input_value(0)
    last = opset13.softmax(logits, 1) if ending == "softmax" else opset13.sigmoid(logits)
    last.output(0).set_names({"probabilities"})
    made: Any = openvino.Model([last], model.get_parameters(), model.get_friendly_name())  # type: ignore[misc]
    return saved(made)


def saved(model: Any) -> list[bytes]:
    import openvino

    with tempfile.TemporaryDirectory() as folder:
        openvino.save_model(model, f"{folder}/model.xml", compress_to_fp16=False)
        return [(Path(folder) / name).read_bytes() for name in ("model.xml", "model.bin")]
