"""A bar over photos, for whoever waits at a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def shown_progress(n: int, text: str = "evaluating") -> Iterator[Callable[[int], None] | None]:
    """A bar over n photos in a terminal, nothing in a pipe; gives the function to call with photos done."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(text, total=n)
        yield lambda done: bar.update(task, advance=done)


@contextmanager
def shown_looks(n: int) -> Iterator[Callable[[int, int], None]]:
    """The same for the doctor's pass over n photos, which says how many it has looked at, and of how many."""
    with shown_progress(n, "looking at the photos") as advance:
        before = 0

        def show(looked: int, _all: int) -> None:
            nonlocal before
            if advance:
                advance(looked - before)
            before = looked

        yield show
