"""How many processor cores there are for this process."""

from __future__ import annotations

import os


def available_cores() -> int:
    """Cores that this process may use: fewer than there are where its affinity is set, as containers and schedulers do."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
