"""The runtimes that Linnet knows: their files in a bundle, and what to install for them.

Standard library and numpy only: the text of this file is copied into every bundle's `predict.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np

from ...errors import SettingError, did_you_mean

# Images to logits: float32 [B, 3, H, W], or the pixels uint8 [B, H, W, 3], to float32 [B, classes].
Run = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class KnownRuntime:
    """One runtime. Its `files` in a bundle begin with the one that a person opens; others belong to it.

    int8 has files of its own (`files_of`): its numbers are others, while bf16 is the same file computed otherwise.
    """

    name: str
    title: str
    files: tuple[str, ...]
    package: str  # what pip installs to run it
    module: str  # which is then here
    maker: str  # the module that writes its file
    precisions: tuple[str, ...] = ("fp32",)
    batch: str = "B"  # "B": any number of images at a time; "1": one
    channels_last: bool = False  # float32 images are [B, H, W, 3] inside the file
    quantiser: str = ""  # the module that makes its int8, where that is not `maker`
    program: bool = False  # its file is machine code: made and run only where it is named

    @property
    def install(self) -> str:
        """The line that installs all that is needed to make its files and run them."""
        own = self.name in ("onnx", "aotinductor")  # what they need comes with Linnet
        return "pip install linnet-vision" if own else f'pip install "linnet-vision[{self.name}]"'

    def files_of(self, precision: str) -> tuple[str, ...]:
        """Its files in a bundle at this precision: model.onnx and model.int8.onnx, openvino/ and openvino-int8/."""
        if precision != "int8":
            return self.files
        return tuple(
            f"{folder}-int8/{name}" if folder else name.replace(".", ".int8.", 1)
            for folder, _, name in (file.rpartition("/") for file in self.files)
        )

    def maker_of(self, precision: str) -> str:
        """The module that writes its files at this precision."""
        return (self.quantiser if precision == "int8" else "") or self.maker

    def shape(self, image: int, input: str, sides: Sequence[int] = ()) -> str:
        """What the file takes, in words. `sides`: the least and the largest height or width, where these are open."""
        size = "H, W" if sides else f"{image}, {image}"
        between = f" with H and W from {sides[0]} to {sides[1]}" if sides else ""
        last = self.channels_last or input == "uint8"
        return f"[{self.batch}, {size}, 3]{between}" if last else f"[{self.batch}, 3, {size}]{between}"


RUNTIMES = {
    one.name: one
    for one in (
        KnownRuntime(
            "onnx", "ONNX Runtime", ("model.onnx",), "onnxruntime", "onnxruntime", "onnxscript", ("fp32", "int8"),
        ),
        KnownRuntime(
            "openvino", "OpenVINO", ("openvino/model.xml", "openvino/model.bin"), "openvino", "openvino", "openvino",
            ("fp32", "bf16", "int8"), quantiser="nncf",
        ),
        KnownRuntime(
            "litert", "LiteRT", ("model.tflite",), "ai-edge-litert", "ai_edge_litert", "litert_torch", ("fp32", "int8"),
            batch="1", channels_last=True,
        ),
        KnownRuntime(  # its package does not bring torch, without which it does not load
            "executorch", "ExecuTorch", ("model.pte",), "executorch torch", "executorch", "executorch", ("fp32", "int8"),
            batch="1",
        ),
        KnownRuntime("aotinductor", "AOTInductor", ("model.pt2",), "torch", "torch", "torch", program=True),
    )
}  # fmt: skip


def way(runtime: str, precision: str) -> str:
    """The name of a runtime at a precision, as people write it: "openvino", "openvino-bf16"."""
    return runtime if precision == "fp32" else f"{runtime}-{precision}"


WAYS = {way(one.name, precision): (one, precision) for one in RUNTIMES.values() for precision in one.precisions}


def find_way(name: str) -> tuple[KnownRuntime, str]:
    """The runtime and the precision that "openvino-bf16" means.

    Raises: SettingError for any other name.
    """
    if name not in WAYS:
        raise SettingError(f"There is no runtime {name!r}; allowed: {', '.join(WAYS)}.{did_you_mean(name, WAYS)}")
    return WAYS[name]


def is_here(module: str) -> bool:
    """Whether a module is installed. It is not imported: that takes seconds for some."""
    return find_spec(module) is not None


def not_here(runtime: str) -> SettingError:
    """What to say where a runtime's package is missing."""
    known = RUNTIMES[runtime]
    return SettingError(f"{known.title} is not installed. Install it with: pip install {known.package}")
