"""What a runtime takes of memory: a process of its own loads a model, predicts once and says how much it had at most."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ..runtime.known import Run
from ..runtime.opening import open_model

SECONDS = 120  # a process that takes longer says nothing


@dataclass(frozen=True)
class Peak:
    """Resident bytes of a process: at most, and before the runtime came (Python and numpy)."""

    peak_bytes: int
    before_bytes: int

    def to_json(self) -> dict[str, int]:
        return asdict(self)


def peak_memory(
    runtime: str, precision: str, files: Sequence[bytes], images: np.ndarray, *, threads: int = 1
) -> Peak | None:
    """Of loading the files and running them once on images of that shape and type, in a new process.

    None where the system does not say it, and where the process does not get there.
    """
    shape = "x".join(map(str, images.shape))
    sizes = [str(len(data)) for data in files]
    command = [sys.executable, "-m", __name__, runtime, precision, str(threads), images.dtype.name, shape, *sizes]
    try:
        child = subprocess.run(
            command, input=b"".join(files), capture_output=True, timeout=SECONDS, check=False,
            cwd=Path(__file__).parents[3],
        )  # fmt: skip
        before, peak = map(int, child.stdout.split()[-2:])
    except (subprocess.TimeoutExpired, OSError, ValueError):  # also where no process can be started
        return None
    return Peak(peak, before) if peak > 0 else None


def most_so_far() -> int:
    """The most resident bytes that this process has had; 0 where the system does not say it."""
    try:
        # Not getrusage: after fork and exec its figure is that of the parent, if that was larger.
        for line in Path("/proc/self/status").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    if sys.platform == "darwin":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return 0


def open_any(runtime: str, precision: str, files: Sequence[bytes], *, threads: int = 0) -> Run:
    """`open_model`, and PyTorch itself, whose file is the architecture."""
    if runtime == "pytorch":
        from ..eager import load_eager

        return load_eager(files[0], threads=threads)
    return open_model(runtime, precision, files, threads=threads)


def main(words: Sequence[str]) -> None:
    """In the new process: files on standard input one behind the other, two figures on standard output."""
    runtime, precision, threads, kind, shape, *sizes = words
    files = [sys.stdin.buffer.read(int(size)) for size in sizes]
    images = np.zeros([int(side) for side in shape.split("x")], kind)
    before = most_so_far()
    open_any(runtime, precision, files, threads=int(threads))(images)
    print(before, most_so_far(), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
