"""What a person sees while it trains: a bar in a terminal, a plain line now and then in a pipe."""

from __future__ import annotations

import sys
import time
from typing import Any


class Progress:
    """`said` lines and one bar with images/s, time left and loss. `Progress(quiet=True)` shows nothing."""

    EVERY = 10.0  # seconds between plain lines

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._bar: Any = None
        self._task: Any = None
        self._next = 0.0

    def start(self, images: int, done: int) -> None:
        """A run over `images` training images in all, of which `done` were seen before it was resumed."""
        self._images, self._began = max(images, 1), 0.0
        if self._quiet or not sys.stderr.isatty():
            return
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        text = TextColumn("{task.fields[text]}", markup=False)
        self._bar = Progress(
            text, BarColumn(), TaskProgressColumn(), TimeRemainingColumn(), console=Console(stderr=True)
        )
        self._task = self._bar.add_task("", total=images, completed=done, text="")
        self._bar.start()

    def step(self, done: int, epoch: str, images_per_second: float, loss: float) -> None:
        if not self._began:  # at the first step, since starting the loader says nothing about the time left
            self._first, self._began = done, time.monotonic()
        text = f"epoch {epoch}  loss {loss:.3f}  {images_per_second:.0f} images/s"
        if self._bar:
            self._bar.update(self._task, completed=done, text=text)
        elif not self._quiet and time.monotonic() >= self._next:
            self._next = time.monotonic() + self.EVERY
            text += f"  {100 * done / self._images:.0f} %"
            if done > self._first:
                took = time.monotonic() - self._began
                text += f"  {_clock(took * (self._images - done) / (done - self._first))} left"
            print(text, file=sys.stderr, flush=True)

    def say(self, text: str) -> None:
        if self._bar:
            self._bar.console.print(text, markup=False, highlight=False)
        elif not self._quiet:
            print(text, file=sys.stderr, flush=True)

    def close(self) -> None:
        if self._bar:
            self._bar.stop()
            self._bar = None


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(int(seconds + 0.5), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}" if minutes >= 60 else f"{minutes}:{seconds:02}"
