"""Converters write pages about themselves to the screen: they are kept off it, and shown where the conversion fails.

Standard library only: `silent` is copied into every bundle's `predict.py`.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from typing import IO

LAST = 20  # lines of what it wrote that are shown where it fails


@contextmanager
def quiet() -> Iterator[None]:
    """Keep off the screen what is written inside; when the block fails, its last lines go there before the error does."""
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace", buffering=1) as kept:
        try:
            with written_to(kept):
                yield
        except Exception:
            kept.seek(0)
            print("".join(kept.readlines()[-LAST:]), end="", file=sys.stderr)
            raise


@contextmanager
def silent() -> Iterator[None]:
    """Keep off the screen what is written inside, for good."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere, written_to(nowhere):
        yield


@contextmanager
def written_to(file: IO[str]) -> Iterator[None]:
    """What is written to stdout and stderr inside goes into `file`, C++'s too; warnings and logs go nowhere."""
    level = logging.root.manager.disable
    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        stack.callback(logging.disable, level)
        logging.disable(logging.WARNING)
        for number in (1, 2):
            stack.enter_context(moved(number, file))
        stack.enter_context(redirect_stdout(file))
        stack.enter_context(redirect_stderr(file))
        yield


@contextmanager
def moved(number: int, file: IO[str]) -> Iterator[None]:
    """The file descriptor `number`, 1 for stdout or 2 for stderr, writes into `file`."""
    stream = (sys.stdout, sys.stderr)[number - 1]
    if stream is not None:  # pythonw has none
        stream.flush()
    try:
        before = os.dup(number)
    except OSError:  # it is closed, so nothing can be written to it
        yield
        return
    try:
        os.dup2(file.fileno(), number)
        yield
    finally:
        os.dup2(before, number)
        os.close(before)
