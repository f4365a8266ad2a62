"""Worker processes that start cleanly from a script, a notebook, a test or the command line. Standard library only.

Why not fork: torch, onnxruntime and the progress bar hold threads and locks, and a forked child inherits locks that
nobody will ever open; Python 3.12 warns about it and 3.14 gave it up. Why not spawn: each worker imports torch anew
(2 s each, at every epoch). A fork server imports it once, in a process that has no threads, and then starts a worker
in 20 ms. Where there is none (Windows), spawn.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.context import BaseContext

# The loader comes with all the others, but the server does not always find linnet (a checkout that was put on sys.path).
PRELOADED = ("torch", "torch.utils.data._utils.worker", "PIL.ImageEnhance", "PIL.ImageOps", "linnet.data.loader")


def worker_context() -> BaseContext:
    """How worker processes start on this system: a fork server that has torch loaded, else spawn."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    # Does nothing when a fork server runs already; then workers only start more slowly.
    context.set_forkserver_preload(list(PRELOADED))
    return context


@contextmanager
def script_hidden() -> Iterator[None]:
    """Keep a starting worker from running the user's script again.

    Python imports the main script in each new process, so a script without `if __name__ == "__main__":` would call
    `linnet.fit` in every worker. What our workers run lies in `linnet` itself: they need no script.
    """
    script = sys.modules["__main__"].__dict__
    kept = {name: script[name] for name in ("__file__", "__spec__") if name in script}
    script.pop("__file__", None)
    script["__spec__"] = None
    try:
        yield
    finally:
        script.update(kept)


def leave_interrupts_to_the_parent() -> None:
    """Ctrl-C reaches every process of the terminal; only the parent may answer it: it saves, then ends its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def end_with_parent() -> None:
    """End this worker when the process that it works for is gone, also when that was shot (SIGKILL, out of memory).

    torch's workers look whether their parent is another one than before. That of ours is the fork server, which in turn
    lives for as long as a worker does: all would stay for ever, with their memory, and hold the terminal's pipes open.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()
