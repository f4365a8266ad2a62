"""ExecuTorch: one model.pte for XNNPACK; one image [1, 3, H, W] at a time in, logits [1, classes] out.

`load_executorch` needs numpy, executorch and torch, without which executorch's Python does not load: its text is copied into
every bundle's `predict.py`. On a phone the file needs no torch.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import numpy as np

from ...cores import available_cores
from ...errors import SettingError, WeightsError
from ..quiet import silent
from .known import Run, not_here

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ...data.preprocess import Preprocess
    from ...nn.net import Net


# The open models. They hold on to the process' threads: after a reset those that are open answer wrongly, or crash.
OPEN: WeakSet[Any] = WeakSet()


def load_executorch(model: bytes, *, threads: int = 0) -> Run:
    """The model as a function of images, on the CPU with so many threads (0: one for each core we may use).

    Raises: WeightsError for a file that is damaged; SettingError without executorch or torch, and where another model with
    another number of threads is still open: the threads are the process', not the model's.
    """
    threads = threads or available_cores()
    with silent():  # what it thinks of the processor, and of its own API
        try:
            import torch
            from executorch.extension.pybindings import portable_lib  # type: ignore[import-not-found]
            from executorch.runtime import Runtime  # type: ignore[import-not-found]
        except ImportError:
            raise not_here("executorch") from None
        if (had := portable_lib._threadpool_get_thread_count()) != threads:
            if OPEN:
                raise SettingError(
                    f"ExecuTorch has a model open with {had} threads, so one with {threads} cannot be opened beside it."
                    f" Close that first, or give --threads {had}."
                )
            portable_lib._unsafe_reset_threadpool(threads)
        try:
            program = Runtime.get().load_program(model)
            program.load_method("forward")
        except Exception as error:  # it raises what its C++ says, mostly RuntimeError
            raise WeightsError(
                f"executorch does not take the model ({' '.join(str(error).split())[:160]}). Export the bundle again."
            ) from None
    OPEN.add(program)

    def run(images: np.ndarray) -> np.ndarray:
        execute = program.load_method("forward").execute  # asked of what owns the bytes, so that they are kept
        one_by_one = torch.from_numpy(np.ascontiguousarray(images)).split(1)
        return np.concatenate([execute((image,))[0].numpy().copy() for image in one_by_one])

    return run


# -- below this line: making the file, with torch and executorch ---------------------------------------------------------


def convert(net: Net, preprocess: Preprocess, path: Path, *, uint8: bool = False, ending: str = "") -> None:
    """Write `net` with its batch norms folded as a file that takes one image, its operators XNNPACK's where it has them.

    Raises: whatever its converter raises for a network that it cannot take.
    """
    from ...files import written_whole
    from ..graph import to_export

    made = lowered(*to_export(net, preprocess, uint8=uint8, ending=ending, batch=1))
    with written_whole(path) as temporary:
        temporary.write_bytes(made)
        temporary.chmod(0o644)


def lowered(module: nn.Module, example: Tensor) -> bytes:
    """A module as ExecuTorch's program, for inputs of the example's shape."""
    import torch

    from ..quiet import quiet

    with quiet():
        from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner  # type: ignore[import-not-found]
        from executorch.exir import to_edge_transform_and_lower  # type: ignore[import-not-found]

        program = torch.export.export(module, (example,))
        return bytes(to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()]).to_executorch().buffer)
