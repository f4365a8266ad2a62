"""OpenVINO: openvino/model.xml with its numbers in model.bin; images [B, 3, H, W] in, logits [B, classes] out, any B.

`load_openvino` needs the standard library, numpy and openvino alone: its text is copied into every bundle's `predict.py`.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...cores import available_cores
from ...errors import SettingError, WeightsError
from .ir import refuse_other_than_ir
from .known import Run, not_here

if TYPE_CHECKING:
    from ...data.preprocess import Preprocess
    from ...nn.net import Net


@contextmanager
def same_signal_stack() -> Iterator[None]:
    """Give this thread back the stack that its signal handlers run on (Linux).

    Compiling a model puts one of OpenVINO's in its place, and the model puts back at its end what it found. Of two models,
    the second finds the first one's; if the first goes first, that memory is gone, and the next signal with a handler in
    Python (a child process that ends, Ctrl-C) is the end of this process: SIGSEGV, at some innocent place.
    """
    if not sys.platform.startswith("linux"):
        yield
        return
    libc, kept = ctypes.CDLL(None), ctypes.create_string_buffer(24)  # a stack_t: address, flags, size
    libc.sigaltstack(None, kept)
    try:
        yield
    finally:
        libc.sigaltstack(kept, None)


def load_openvino(model: bytes, weights: bytes, *, precision: str = "fp32", threads: int = 0) -> Run:
    """The model as a function of images, on the CPU with so many threads (0: one for each core we may use).

    precision: "bf16" computes in bfloat16, which is what OpenVINO does of its own accord on processors that have it;
    "fp32" is exact everywhere.
    Raises: WeightsError for a file that is damaged, or is not OpenVINO's own; SettingError without openvino, or without
    bfloat16 where it is asked for.
    """
    # OpenVINO reports every import to its makers over the network unless this package, which does it, is missing.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    try:
        import openvino
    except ImportError:
        raise not_here("openvino") from None
    refuse_other_than_ir(model, weights)
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads or available_cores(),
        "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
        # Pinned threads of two models, or of two processes, that use a part of the cores each would all sit on the first ones.
        "ENABLE_CPU_PINNING": not 0 < threads < available_cores(),
    }
    with same_signal_stack():
        core = openvino.Core()
        if precision == "bf16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise SettingError("This processor does not compute in bfloat16. Take the runtime openvino.")
        try:
            # Given as bytes, so that what runs is what was checked.
            request = core.compile_model(core.read_model(model, weights), "CPU", settings).create_infer_request()
        except Exception as error:  # its own exceptions share no parent of their own
            raise WeightsError(
                f"openvino does not take the model ({' '.join(str(error).split())[-160:]}). Export the bundle again."
            ) from None

    def run(images: np.ndarray) -> np.ndarray:
        return np.array(request.infer([np.ascontiguousarray(images)])[0])

    return run


# -- below this line: making the file, with torch and onnx ---------------------------------------------------------------


def convert(
    net: Net,
    preprocess: Preprocess,
    path: Path,
    *,
    uint8: bool = False,
    ending: str = "",
    sides: tuple[int, int] | None = None,
) -> None:
    """Write `net` with its batch norms folded as `path` and, beside it, its numbers in the file of the same name with .bin.

    Made from the ONNX model, so that both are the same graph with the same names; numbers stay float32.
    Raises: SettingError without openvino, ProofError when the graph is not valid.
    """
    from ...files import written_whole
    from ..graph import to_export
    from .onnx import ended, exported

    model = ended(exported(*to_export(net, preprocess, uint8=uint8), sides), ending)
    made = from_onnx(model.SerializeToString())
    for end, data in zip((".xml", ".bin"), made, strict=True):
        with written_whole(path.with_suffix(end)) as temporary:
            temporary.write_bytes(data)
            temporary.chmod(0o644)


def from_onnx(model: bytes) -> tuple[bytes, bytes]:
    """An ONNX file's model as OpenVINO's own two files, .xml and .bin. Raises: SettingError without openvino."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    try:
        import openvino
    except ImportError:
        raise not_here("openvino") from None
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        openvino.save_model(openvino.Core().read_model(model, b""), f"{folder}/model.xml", compress_to_fp16=False)
        return (Path(folder) / "model.xml").read_bytes(), (Path(folder) / "model.bin").read_bytes()


def node_times(
    model: bytes, images: np.ndarray, *, precision: str = "fp32", threads: int = 0, calls: int = 30
) -> list[tuple[str, float]]:
    """(name, milliseconds) of every node that is run, fused as OpenVINO fuses them, in that order; `model` is an ONNX file.

    By its own counters: the mean over so many calls, after a few to warm up.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    core = openvino.Core()
    read = core.read_model(model, b"")
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads or available_cores(),
        "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
        "ENABLE_CPU_PINNING": not 0 < threads < available_cores(),
        "PERF_COUNT": True,
    }
    with same_signal_stack():
        compiled = core.compile_model(read, "CPU", settings)
    request = compiled.create_infer_request()
    run = {
        node.get_friendly_name() for node in compiled.get_runtime_model().get_ops()
    }  # the others are fused into them
    warm, sums = 3, list[dict[str, float]]()  # microseconds of each node, after the warm-up and after all calls
    for before, so_far in ((0, warm), (warm, warm + calls)):
        for _ in range(so_far - before):
            request.infer([images])
        nodes = [node for node in request.get_profiling_info() if node.node_name in run]
        kept = [node for node in nodes if node.node_type not in ("Parameter", "Result", "Constant")]
        sums.append({node.node_name: node.real_time.total_seconds() * 1e6 * so_far for node in kept})
    # Each time is cut to whole microseconds, and so is their mean: what that loses, on average, is given back.
    return [(name, (1 + (after - sums[0].get(name, 0.0)) / calls) / 1000) for name, after in sums[1].items()]
