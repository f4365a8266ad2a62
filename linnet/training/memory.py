"""Large blocks of memory stay with the process between steps, as they do on a GPU."""

from __future__ import annotations

import ctypes
import sys

MMAP_MAX, TRIM_THRESHOLD = -4, -1  # of mallopt(3)
LARGEST = 2**31 - 1


def keep_memory() -> bool:
    """Tell glibc's allocator to reuse large blocks; whether it was told (elsewhere nothing changes).

    By default it takes every block above 32 MB, and many below, from the system and gives it back at once; a training
    step on a CPU then spends a good part of its time on page faults for memory that it had a moment ago
    (benchmarks/memory.py). The price: the process keeps what its largest step needed until it ends.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):  # musl has none
        return False
    return bool(mallopt(MMAP_MAX, 0)) and bool(mallopt(TRIM_THRESHOLD, LARGEST))
