from __future__ import annotations

import subprocess
import sys

import pytest

from linnet.errors import TrainingError, is_out_of_memory
from linnet.training import memory

# A block of 64 MB, written to; the page faults of doing it again and again.
FAULTS = """
import ctypes, resource
{first}
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
def once():
    block = libc.malloc(64 << 20)
    ctypes.memset(block, 1, 64 << 20)
    libc.free(block)
once()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5): once()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(first: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", FAULTS.format(first=first)], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator")
def test_a_large_block_is_faulted_in_once_only() -> None:
    kept = faults("from linnet.training.memory import keep_memory; assert keep_memory()")
    assert kept < 0.1 * faults("")


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes", True),
        ("CUDA error: out of memory", True),
        ("shape mismatch", False),
    ],
)
def test_what_out_of_memory_looks_like(text: str, is_one: bool) -> None:
    assert is_out_of_memory(RuntimeError(text)) is is_one
    with pytest.raises(TrainingError if is_one else RuntimeError, match=text), memory.shortage_said():
        raise RuntimeError(text)


def test_elsewhere_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory.sys, "platform", "darwin")
    assert not memory.keep_memory()
