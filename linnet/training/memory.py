"""Large blocks of memory stay with the process between steps, as they do on a GPU; and what to say when there is no more."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import TrainingError, is_out_of_memory

LESS = "Smaller images, a smaller network, or recompute=true in the recipe need less. The last checkpoint, if any, is good."
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


@contextmanager
def shortage_said() -> Iterator[None]:
    """Where smaller micro-batches are no help: the weights themselves, the optimiser's state, validation.

    Raises: TrainingError in place of torch's error.
    """
    try:
        yield
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise TrainingError(f"Out of memory ({str(error).partition(chr(10))[0]}). {LESS}") from error
