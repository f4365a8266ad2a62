"""The one door for pickled weights (.pth, .pt): read in a child process that may do nothing else, kept as safetensors.

The child reads with `weights_only=True`, has a memory limit (where the system knows one), and can open no socket and
start no process. Whatever happens to it, the parent lives and says so in one line.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import WeightsError

PICKLES = (".pt", ".pth", ".bin", ".pkl", ".ckpt", ".tar")  # how such files are called
WRAPPERS = ("module.", "_orig_mod.")  # what DistributedDataParallel and torch.compile put before every name
NESTED = ("state_dict", "model", "state_dict_ema", "model_ema")  # where training scripts put the weights
FORBIDDEN = ("socket.", "subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "ctypes.dlopen")
REFUSED = "refused: "


def refuse_pickle(path: Path) -> None:
    """Raises: WeightsError for a file that is called like a pickle."""
    if path.suffix in PICKLES:
        raise WeightsError(
            f"{path}: pickled weights can run code, so they are not read here. Turn them into safetensors first, in a"
            f" process that may do nothing else: linnet convert {path} --to linnet --arch NAME"
        )


def read_pickle(path: str | Path, *, memory_mb: int = 0, timeout: float = 300) -> dict[str, Any]:
    """Tensors by name from a pickled file of weights. `memory_mb` 0 allows four times the file and 512 MB.

    Raises: WeightsError for a file that holds anything but plain tensors, asks for more memory or is damaged.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"{path}: there is no such file. Give the path of a .pth or .pt file.")
    allowed = memory_mb * 2**20 or 4 * path.stat().st_size + 512 * 2**20
    with tempfile.TemporaryDirectory(prefix="linnet-") as folder:
        target = Path(folder) / "weights.safetensors"
        command = [sys.executable, "-m", "linnet.weights.pickled", str(path.resolve()), str(target), str(allowed)]
        try:
            child = subprocess.run(
                command, capture_output=True, text=True, errors="replace", timeout=timeout, check=False,
                stdin=subprocess.DEVNULL, cwd=Path(__file__).parents[2],
            )  # fmt: skip
            said = child.stderr.strip().splitlines()[-1:] or [f"the reader was stopped ({child.returncode})"]
        except subprocess.TimeoutExpired:
            said, child = [f"{REFUSED}it took more than {timeout:.0f} s"], None
        if child is None or child.returncode != 0 or not target.is_file():
            raise WeightsError(
                f"{path}: not read as weights, {said[0].removeprefix(REFUSED)[:200]}. Give a .safetensors file, or a"
                " .pth file that holds tensors only."
            )
        from safetensors.torch import load_file

        return load_file(target)


def _read_in_child(source: Path, target: Path, allowed: int) -> None:
    from argparse import Namespace

    import torch
    from safetensors.torch import save_file

    _demand_torch(torch.__version__)
    _limit_memory(allowed)
    _stay_inside()
    _only_stored(source)
    with torch.serialization.safe_globals([Namespace]):  # plain settings, which timm's trainer keeps beside the weights
        state = torch.load(source, map_location="cpu", weights_only=True)
    if isinstance(state, Mapping):
        state = next((state[key] for key in NESTED if isinstance(state.get(key), Mapping)), state)
    if not isinstance(state, Mapping) or not state:
        raise ValueError(f"it holds a {type(state).__name__}, not named tensors")
    for name, tensor in state.items():
        if not isinstance(name, str) or not isinstance(tensor, torch.Tensor):
            raise ValueError(f"{name!r} is a {type(tensor).__name__}, not a tensor")
        if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_meta:
            raise ValueError(f"{name} is no plain tensor")
        if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
            raise ValueError(f"{name} claims to be larger than what is stored")
    while wrapper := next((w for w in WRAPPERS if all(name.startswith(w) for name in state)), ""):
        state = {name.removeprefix(wrapper): tensor for name, tensor in state.items()}
    save_file({name: tensor.detach().clone().contiguous() for name, tensor in state.items()}, target)


def _demand_torch(version: str) -> None:
    """`weights_only=True` let code run up to 2.5.1 and memory be overwritten up to 2.9.1 (CVE-2025-32434, CVE-2026-24747)."""
    if tuple(int(part) for part in version.split(".")[:2]) < (2, 11):
        raise ValueError(f"torch {version} reads pickles unsafely; 2.11 or newer is needed")


def _limit_memory(allowed: int) -> None:
    """`allowed` bytes above what the process maps now: torch's own libraries take gigabytes of addresses."""
    try:
        import resource

        mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (mapped + allowed, mapped + allowed))
    except (ImportError, OSError, ValueError):
        return  # no such limit on this system; the checks below still hold


def _stay_inside() -> None:
    def refuse(event: str, arguments: object) -> None:
        if event.startswith(FORBIDDEN):
            raise PermissionError(f"it tried to do more than hold weights ({event})")

    sys.addaudithook(refuse)


def _only_stored(source: Path) -> None:
    """A zip member that is compressed can unfold to a thousand times its size; torch.save never compresses."""
    import zipfile

    if zipfile.is_zipfile(source):
        with zipfile.ZipFile(source) as file:
            for member in file.infolist():
                if member.compress_type != zipfile.ZIP_STORED or member.file_size > source.stat().st_size:
                    raise ValueError(f"its part {member.filename} is compressed")


if __name__ == "__main__":
    try:
        _read_in_child(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
    except BaseException as error:
        text = " ".join(str(error).split()) or type(error).__name__
        print(f"{REFUSED}{text}", file=sys.stderr)
        sys.exit(1)
