"""Named tensors out of a plain safetensors file, as other libraries write it."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from torch import Tensor

from ..errors import WeightsError
from .pickled import refuse_pickle


def read_state(path: str | Path) -> dict[str, Tensor]:
    """Tensors by name. Nothing in the file is ever run.

    Raises: WeightsError for a file that is missing, damaged or a pickle.
    """
    from safetensors.torch import load_file

    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"{path}: there is no such file. Give the path of a .safetensors file.")
    refuse_pickle(path)
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError, KeyError, MemoryError, RuntimeError) as error:
        said = " ".join(str(error).split())[:160] or type(error).__name__
        raise WeightsError(f"{path}: damaged or no safetensors file ({said}). Give a fresh copy.") from error
