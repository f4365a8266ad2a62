"""ONNX Runtime: one .onnx file, images [B, 3, H, W] in, logits [B, classes] out, any B.

`load_onnx` and what stands above it need the standard library, numpy and onnxruntime alone: their text is copied into every
bundle's `predict.py`.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...cores import available_cores
from ...errors import ProofError, SettingError, WeightsError
from .known import Run, not_here

if TYPE_CHECKING:
    import onnx
    from torch import Tensor, nn

    from ...data.preprocess import Preprocess
    from ...nn.net import Net

# Where tensors can stand in an ONNX file: message -> field number -> the message in it (onnx.proto3).
MESSAGES = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
EXTERNAL = (13, 14)  # TensorProto.external_data and .data_location


def refuse_external_data(model: bytes) -> None:
    """Make sure that an ONNX file holds all its numbers itself, before any runtime sees it.

    A tensor may name another file to be read in its place; runtimes have been talked into reading files outside the
    model's folder that way (CVE-2022-25882, 2024-27318, 2026-34446), so ours may not name any, wherever it lies.

    Raises: WeightsError for such a file, and for one that is no ONNX at all.
    """
    waiting = [("model", 0, len(model))]
    graphs = 0
    while waiting:
        message, place, end = waiting.pop()
        graphs += message == "graph"
        while place < end:
            key, place = read_varint(model, place, end)
            field, wire = key >> 3, key & 7
            if wire == 0:
                value, place = read_varint(model, place, end)
            elif wire == 2:
                value, place = read_varint(model, place, end)
                inside = MESSAGES[message].get(field)
                if inside:
                    waiting.append((inside, place, place + value))
                place += value
            elif wire in (1, 5):
                value, place = 1, place + (8 if wire == 1 else 4)
            else:
                place, value = end + 1, 0
            if place > end or field == 0 or key >> 32:  # protobuf cuts a longer key to 32 bits, and finds another field
                raise WeightsError("The ONNX file is damaged. Export the bundle again, or copy it anew.")
            if message == "tensor" and field in EXTERNAL and value:
                raise WeightsError(
                    "The ONNX file takes numbers from another file, which is not allowed: it must hold all of them"
                    " itself. Export it again with Linnet."
                )
    if not graphs:
        raise WeightsError("The ONNX file holds no network. Export the bundle again, or copy it anew.")


def read_varint(data: bytes, place: int, end: int) -> tuple[int, int]:
    """A number of protobuf's variable length at `place`, and where the next begins (behind `end` if it is cut off)."""
    value = 0
    for shift in range(0, 70, 7):
        if place >= end:
            return 0, end + 1
        byte = data[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
    return 0, end + 1


def load_onnx(model: bytes | Path, *, threads: int = 0) -> Run:
    """The model as a function of images, on the CPU with so many threads (0: one for each core we may use).

    Raises: WeightsError for a file that is damaged, or that would read other files; SettingError without onnxruntime.
    """
    data = model if isinstance(model, bytes) else model.read_bytes()
    refuse_external_data(data)
    try:
        import onnxruntime
    except ImportError:
        raise not_here("onnx") from None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what goes wrong comes as an exception; the rest is noise
    options.intra_op_num_threads = threads or available_cores()
    options.inter_op_num_threads = 1
    if not has_vnni():
        # Of a model in int8: sums that overflow without VNNI are taken another way, so that it answers the same everywhere.
        # It takes twice the time, with VNNI too, where nothing overflows.
        options.add_session_config_entry("session.x64quantprecision", "1")
    try:
        # Given as bytes, so that what runs is what was checked.
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its own exceptions share no parent of their own
        raise WeightsError(
            f"onnxruntime does not take the model ({str(error)[:160]}). Export the bundle again."
        ) from None

    def run(images: np.ndarray) -> np.ndarray:
        return np.asarray(session.run(None, {"images": images})[0])

    return run


@functools.cache
def has_vnni() -> bool:
    """Whether this x86 processor is known to sum products of 8 bits in 32 at once; Linux says so, others count as without."""
    try:
        return "vnni" in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


# -- below this line: making and examining the file, with torch and onnx --------------------------------------------------
OPSET = 18  # what torch's exporter writes without a conversion; onnxruntime knows it since 1.14
NOWHERE = "_empty_nn_module_stack_from_metadata_hook"  # torch's word for what stands in no module
SHAPES = "torch.fx.experimental.symbolic_shapes"  # of a size left open it writes pages, and then raises what matters
LARGEST = 2**31 - 2**20  # bytes: protobuf cannot hold 2 GiB, and we write one file


def convert(
    net: Net,
    preprocess: Preprocess,
    path: Path,
    *,
    uint8: bool = False,
    ending: str = "",
    sides: tuple[int, int] | None = None,
) -> None:
    """Write `net` with its batch norms folded as one ONNX file: "images" [batch, 3, image, image] to "logits".

    With `uint8` "images" are pixels [batch, image, image, 3], RGB, and the normalisation is inside.
    `ending`: one of graph.ENDINGS; then it gives "probabilities". `sides`: see `exported`.
    Nodes are named after the table's rows (stages.3.0.depthwise/Conv); nothing of this machine is in the file.
    Raises: ProofError when the file does not pass ONNX's own checker, SettingError for a network too large.
    """
    from ...files import written_whole
    from ..graph import to_export

    size = sum(p.numel() * 4 for p in net.parameters())
    if size > LARGEST:
        raise SettingError(
            f"{net.arch.name} has {size:,} bytes of weights; one ONNX file holds 2 GiB. Take a smaller one."
        )
    model = ended(exported(*to_export(net, preprocess, uint8=uint8), sides), ending)
    data = model.SerializeToString()
    refuse_external_data(data)
    with written_whole(path) as temporary:
        temporary.write_bytes(data)
        temporary.chmod(0o644)


def exported(module: nn.Module, example: Tensor, sides: tuple[int, int] | None = None) -> onnx.ModelProto:
    """What `to_export` gives as ONNX. The example has two images: of one, exporting would take the number for a constant.

    `sides`: height and width of the images are left open, each from the one to the other in pixels.
    Raises: what torch.export raises for a network that it cannot leave them open in; ProofError when ONNX's own checker fails.
    """
    import logging
    import warnings

    import onnx
    import torch

    shapes = {0: torch.export.Dim("batch", min=1, max=2**16)}
    if sides:
        down = 1 if example.dtype == torch.uint8 else 2
        shapes |= {
            down + i: torch.export.Dim(name, min=sides[0], max=sides[1]) for i, name in enumerate(("height", "width"))
        }
    noisy = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir", SHAPES)]
    levels = [log.level for log in noisy]
    with warnings.catch_warnings():
        # torch's exporter and onnxscript call functions of each other and of copyreg that are on their way out.
        for category in (DeprecationWarning, PendingDeprecationWarning, FutureWarning):
            warnings.simplefilter("ignore", category)
        try:
            for log in noisy:
                log.setLevel(logging.ERROR)
            given = open_program(module, example, shapes) if sides else module
            program = torch.onnx.export(
                given, (example,), dynamo=True, verbose=False, opset_version=OPSET, external_data=False,
                input_names=["images"], output_names=["logits"], dynamic_shapes=(shapes,),
            )  # fmt: skip
        finally:
            for log, level in zip(noisy, levels, strict=True):
                log.setLevel(level)
    assert program is not None
    model = without_traces(with_global_pools(program.model_proto))
    try:
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:
        raise ProofError(f"The exported ONNX file is not valid ({str(error)[:200]}). Please report this.") from error
    return model


def open_program(module: nn.Module, example: Tensor, shapes: dict[int, Any]) -> Any:
    """torch.export's program for all of these sizes.

    Made here because torch.onnx.export, of a network that goes for some of them only, narrows them without a word.
    """
    import torch
    from torch.fx.experimental import _config

    # A batch of one is no other case, but torch.export takes it for one wherever memory is put in another order.
    shapes = {**shapes, 0: torch.export.Dim("batch", min=2, max=2**16)}
    # As torch.onnx.export does it: nor is a map of one pixel.
    with _config.patch(backed_size_oblivious=True):  # type: ignore[attr-defined]
        return torch.export.export(module, (example,), dynamic_shapes=(shapes,), strict=False)


def ended(model: onnx.ModelProto, ending: str) -> onnx.ModelProto:
    """The model with "softmax" or "sigmoid" after its logits, in float32 whatever stands before; without an ending as it is."""
    import onnx

    if ending:
        kind = ending.capitalize()
        node = onnx.helper.make_node(kind, ["logits"], ["probabilities"], f"probabilities/{kind}")
        if ending == "softmax":
            node.attribute.append(onnx.helper.make_attribute("axis", 1))
        model.graph.node.append(node)
        model.graph.output[0].name = "probabilities"
    return model


def with_global_pools(model: onnx.ModelProto) -> onnx.ModelProto:
    """Call a mean over height and width [B, C, H, W] -> [B, C, 1, 1] what it is.

    ONNX Runtime keeps its own layout through a pool, not through a mean, and has it in int8.
    """
    from onnx import numpy_helper

    constants = {one.name: one for one in model.graph.initializer}
    for node in model.graph.node:
        given = {one.name: one.i for one in node.attribute}
        axes = constants.get(node.input[1]) if node.op_type == "ReduceMean" and len(node.input) == 2 else None
        if axes is not None and numpy_helper.to_array(axes).tolist() == [2, 3] and given.get("keepdims", 1):
            node.op_type = "GlobalAveragePool"
            del node.input[1:], node.attribute[:]
    used = {name for node in model.graph.node for name in node.input}
    for one in [one for one in model.graph.initializer if one.name not in used]:
        model.graph.initializer.remove(one)
    return model


def without_traces(model: onnx.ModelProto) -> onnx.ModelProto:
    """Name the nodes after the table and take out what the exporter notes: stack traces with this machine's folders."""
    graph, taken = model.graph, set[str]()
    for node in graph.node:
        notes = {note.key: note.value for note in node.metadata_props}
        # "['', 'stages', 'stages.0', 'stages.0.0', 'stages.0.0.depthwise', 'conv2d_1']": the last but one is the module.
        scopes = notes.get("pkg.torch.onnx.name_scopes", "[]").strip("[]").replace("'", "").split(", ")
        row = (scopes[-2] if len(scopes) > 1 else "").removeprefix("net.")  # inside Pixels the network is `net`
        row = "net" if row in ("", NOWHERE) else row
        name = f"{row}/{node.op_type}"
        node.name = name if name not in taken else f"{name}_{len(taken)}"
        taken.add(node.name)
    for thing in (model, graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        thing.doc_string = ""
        del thing.metadata_props[:]
    del graph.value_info[:]  # shapes of the inside, which every runtime works out itself
    model.producer_name = "linnet"
    return model


def row_outputs(model: bytes, rows: Sequence[str], images: np.ndarray) -> dict[str, np.ndarray]:
    """What comes out of each row of the table inside the model, for those rows that still have a node of their own."""
    import onnx

    proto = onnx.load_from_string(model)
    last: dict[str, str] = {}
    for node in proto.graph.node:
        for row in rows:
            if node.name.startswith((row + "/", row + ".")):
                last[row] = node.output[0]
    known = {output.name for output in proto.graph.output}
    for name in dict.fromkeys(last.values()):
        if name not in known:
            proto.graph.output.append(onnx.ValueInfoProto(name=name))
    import onnxruntime

    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    values = session.run(list(last.values()), {"images": images})
    return {row: np.asarray(value) for row, value in zip(last, values, strict=True)}


def node_times(
    model: bytes, images: np.ndarray, *, precision: str = "fp32", threads: int = 0, calls: int = 30
) -> list[tuple[str, float]]:
    """(name, milliseconds) of every node that is run, fused as ONNX Runtime fuses them, in that order.

    By its own profiler: the median over so many calls, after a sixth as many to warm up.
    """
    import json
    import tempfile

    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = threads or available_cores()
    options.inter_op_num_threads = 1
    options.enable_profiling = True
    with tempfile.TemporaryDirectory() as folder:
        options.profile_file_prefix = f"{folder}/profile"
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        warm = 1 + calls // 6
        for _ in range(warm + calls):
            session.run(None, {"images": images})
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    kernels = [e for e in events if e.get("cat") == "Node" and e["name"].endswith("_kernel_time")]
    took = np.array([e["dur"] for e in kernels], float).reshape(warm + calls, -1)
    names = [str(e["name"]).removesuffix("_kernel_time") for e in kernels[: took.shape[1]]]
    # Each time is cut to whole microseconds: what that loses, on average, is given back.
    return list(zip(names, ((0.5 + np.median(took[warm:], 0)) / 1000).tolist(), strict=True))
