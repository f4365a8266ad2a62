"""Any runtime's files as a function of images. Copied into every bundle's `predict.py`, as are the loaders it calls."""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import SettingError
from .aotinductor import load_aotinductor
from .executorch import load_executorch
from .known import Run
from .litert import load_litert
from .onnx import load_onnx
from .openvino import load_openvino


def open_model(runtime: str, precision: str, files: Sequence[bytes], *, threads: int = 0) -> Run:
    """The model as a function of images, from the bytes of its `files` in the order of KnownRuntime.files.

    Raises: WeightsError for files that are damaged, SettingError for a runtime that is not known or not installed.
    """
    if runtime == "onnx":
        return load_onnx(*files, threads=threads)
    if runtime == "openvino":
        return load_openvino(*files, precision=precision, threads=threads)
    if runtime == "litert":
        return load_litert(*files, threads=threads)
    if runtime == "executorch":
        return load_executorch(*files, threads=threads)
    if runtime == "aotinductor":
        return load_aotinductor(*files, threads=threads)
    raise SettingError(
        f"This program does not know the runtime {runtime!r}. Make the bundle again with `linnet export`."
    )
