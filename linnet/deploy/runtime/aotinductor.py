"""AOTInductor: one model.pt2, machine code for one kind of processor; images [B, 3, H, W] in, logits [B, classes] out, any B.

The file is a program: whoever loads it runs what its maker wrote. So it is made and run only where it is named.
`load_aotinductor` needs numpy and torch of the release that made the file: its text is copied into every bundle's `predict.py`.
"""

from __future__ import annotations

import io
import json
import os
import platform
import shlex
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...cores import available_cores
from ...errors import SettingError, WeightsError
from ..quiet import silent
from .known import Run, not_here

if TYPE_CHECKING:
    from ...data.preprocess import Preprocess
    from ...nn.net import Net

# What a file may use of a processor, as torch.backends.cpu calls it, and the same as compilers and Inductor say it:
# -march, bits of a vector. Each has what those before it have.
INSTRUCTIONS = {"DEFAULT": ("x86-64", 1), "AVX2": ("x86-64-v3", 256), "AVX512": ("x86-64-v4", 512)}
SAID = "linnet."  # what our entries in the file's own list of facts begin with
LARGEST_FACTS = 2**20  # bytes


def compiled_for(model: bytes) -> dict[str, str]:
    """What a file was compiled for: system, machine, instructions and torch. Nothing of it is run.

    Raises: WeightsError for a file that does not say it.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(model)) as archive:
            (member,) = [one for one in archive.infolist() if one.filename.endswith(".wrapper_metadata.json")]
            if member.file_size > LARGEST_FACTS:
                raise ValueError("its facts are too long")
            facts = json.loads(archive.read(member))
        names = ("system", "machine", "instructions", "torch")
        return {name: str(facts[SAID + name])[:80] for name in names}
    except (zipfile.BadZipFile, ValueError, KeyError, TypeError, NotImplementedError, RuntimeError) as error:
        raise WeightsError(
            f"The AOTInductor file does not say what it was compiled for ({str(error)[:80]}), so it is not loaded."
            " Export the bundle again, or copy it anew."
        ) from None


def load_aotinductor(model: bytes, *, threads: int = 0) -> Run:
    """The model as a function of images, on the CPU with so many threads (0: one for each core we may use).

    Runs the machine code in the file: only for files that are trusted like a program.
    Raises: WeightsError for a file that is damaged; SettingError without torch, and on another kind of machine or with
    another torch than it was compiled for.
    """
    try:
        import torch
        import torch._inductor
    except ImportError:
        raise not_here("aotinductor") from None
    made, has = compiled_for(model), torch.backends.cpu.get_cpu_capability()
    here = {"system": sys.platform, "machine": platform.machine(), "instructions": has, "torch": torch.__version__}
    known = list(INSTRUCTIONS)
    other = [name for name in ("system", "machine") if made[name] != here[name]]
    if made["instructions"] not in known[: known.index(has) + 1 if has in known else 1]:
        other.append("instructions")
    if made["torch"].split(".")[:2] != here["torch"].split(".")[:2]:
        other.append("torch")
    if other:
        said = ", ".join(f"{name} {made[name]} (here {here[name]})" for name in other)
        raise SettingError(
            f"The AOTInductor file is machine code for other than this machine: {said}. Export the bundle again here with"
            " --to aotinductor, or take another runtime."
        )
    threads = threads or available_cores()
    try:
        # The library inside is unpacked into a folder of torch's own, and gone when the model is.
        with tempfile.TemporaryDirectory() as folder, silent():
            path = Path(folder) / "model.pt2"
            path.write_bytes(model)
            program = torch._inductor.aoti_load_package(str(path))
    except Exception as error:  # whatever its C++ says, mostly RuntimeError
        raise WeightsError(
            f"torch does not take the AOTInductor file ({' '.join(str(error).split())[:160]}). Export the bundle again."
        ) from None

    def run(images: np.ndarray) -> np.ndarray:
        if torch.get_num_threads() != threads:  # the process', not the model's
            torch.set_num_threads(threads)
        with torch.inference_mode():
            return program(torch.from_numpy(np.ascontiguousarray(images))).numpy()

    return run


# -- below this line: making the file, with torch and a C++ compiler ------------------------------------------------------


def cannot_compile() -> str:
    """Why no file can be made on this machine, and what to do; "" where it can."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return "AOTInductor's files are made and tried on Linux with x86-64 processors alone. Take other runtimes."
    words = shlex.split(os.environ.get("CXX", "")) or ["g++"]
    if not shutil.which(words[0]):
        return (
            f"AOTInductor needs a C++ compiler, and there is no {words[0]} here. Install one (apt install g++), or name"
            " yours in the variable CXX."
        )
    return ""


def convert(net: Net, preprocess: Preprocess, path: Path, *, uint8: bool = False, ending: str = "") -> None:
    """Write `net` with its batch norms folded, compiled for processors that can what this one can.

    Half a minute and more. Weights are frozen into it, in the order that the processor's kernels take them in.
    Raises: SettingError where it cannot be made; whatever torch raises for a network that it cannot take.
    """
    import torch
    import torch._inductor
    from torch._inductor.runtime.cache_dir_utils import cache_dir
    from torch.fx.experimental import _config as export_settings

    from ...files import written_whole
    from ..graph import to_export
    from ..quiet import quiet

    if why := cannot_compile():
        raise SettingError(why)
    has = torch.backends.cpu.get_cpu_capability()
    level = has if has in INSTRUCTIONS else "DEFAULT"
    march, bits = INSTRUCTIONS[level]
    facts = {"system": sys.platform, "machine": platform.machine(), "instructions": level, "torch": torch.__version__}
    settings = {
        "freezing": True,
        # By itself it takes all that this very processor has, and the file would end others by SIGILL.
        "cpp.march": march,
        "cpp.simdlen": bits,
        "aot_inductor.metadata": {SAID + name: value for name, value in facts.items()},
        "aot_inductor.enable_line_tables": False,  # they name this machine's folders
    }
    module, example = to_export(net, preprocess, uint8=uint8, ending=ending)
    batch = torch.export.Dim("batch", min=1, max=2**16)
    with quiet(), torch.no_grad(), tempfile.TemporaryDirectory() as folder:
        # A batch of one is no other case, nor is a map of one pixel.
        with export_settings.patch(backed_size_oblivious=True):  # type: ignore[attr-defined]
            program = torch.export.export(module, (example,), dynamic_shapes=({0: batch},))
        made = torch._inductor.aoti_compile_and_package(
            program, package_path=f"{folder}/model.pt2", inductor_configs=settings
        )
        data = without_places(Path(made).read_bytes(), (str(Path(torch.__file__).parents[1]), cache_dir()))
    with written_whole(path) as temporary:
        temporary.write_bytes(data)
        temporary.chmod(0o644)


def without_places(model: bytes, places: Sequence[str]) -> bytes:
    """The archive without names of this machine's folders: a bundle goes out to strangers.

    Its C++ sources, which nobody reads any more, are emptied; in the library, whose error messages have them, they become
    dots. Dates go too.
    """
    kept = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(model)) as archive, zipfile.ZipFile(kept, "w") as cleaned:
        for name in archive.namelist():
            data = b"\n" if name.endswith(".cpp") else archive.read(name)
            for place in map(str.encode, places):
                data = data.replace(place, b"." * len(place))
            cleaned.writestr(zipfile.ZipInfo(name), data)
    return kept.getvalue()
