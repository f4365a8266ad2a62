"""LiteRT: one model.tflite; one image [1, H, W, 3] at a time in, logits [1, classes] out.

`load_litert` needs the standard library, numpy and ai-edge-litert alone: its text is copied into every bundle's `predict.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...cores import available_cores
from ...errors import WeightsError
from ..quiet import silent
from .known import Run, not_here

if TYPE_CHECKING:
    from ...data.preprocess import Preprocess
    from ...nn.net import Net


def load_litert(model: bytes, *, threads: int = 0) -> Run:
    """The model as a function of images, on the CPU with so many threads (0: one for each core we may use).

    Raises: WeightsError for a file that is damaged; SettingError without ai-edge-litert.
    """
    try:
        from ai_edge_litert.interpreter import Interpreter  # type: ignore[import-not-found]
    except ImportError:
        raise not_here("litert") from None
    try:
        with silent():  # "INFO: Created ... delegate for CPU", at each one
            interpreter = Interpreter(model_content=model, num_threads=threads or available_cores())
            interpreter.allocate_tensors()
        (images_in,), (logits_out,) = interpreter.get_input_details(), interpreter.get_output_details()
    except Exception as error:  # it raises whatever its C++ says, mostly ValueError and RuntimeError
        raise WeightsError(
            f"ai-edge-litert does not take the model ({' '.join(str(error).split())[:160]}). Export the bundle again."
        ) from None

    def run(images: np.ndarray) -> np.ndarray:
        if images.dtype == np.float32:  # the file takes channels last, as is the custom on phones; pixels are so anyway
            images = np.moveaxis(images, 1, -1)
        logits = []
        for image in images:
            interpreter.set_tensor(images_in["index"], np.ascontiguousarray(image[None]))
            interpreter.invoke()
            logits.append(interpreter.get_tensor(logits_out["index"])[0])
        return np.array(logits)

    return run


# -- below this line: making the file, with torch and litert-torch -------------------------------------------------------


def convert(net: Net, preprocess: Preprocess, path: Path, *, uint8: bool = False, ending: str = "") -> None:
    """Write `net` with its batch norms folded as a file that takes one image, its channels last.

    Raises: whatever its converter raises for a network that it cannot take.
    """
    from ...files import written_whole
    from ..graph import to_export
    from ..quiet import quiet

    module, example = to_export(net, preprocess, uint8=uint8, ending=ending, batch=1)
    with quiet():
        import litert_torch  # type: ignore[import-not-found]

        if not uint8:
            module = litert_torch.to_channel_last_io(module, args=[0]).eval()
            example = example.permute(0, 2, 3, 1).contiguous()
        model = litert_torch.convert(module, (example,)).model_content()
    with written_whole(path) as temporary:
        temporary.write_bytes(model)
        temporary.chmod(0o644)
