"""Convolution and linear layer that are drawn once: torch's, but a whole network leaves their first weights to `initialise`.

Random numbers are most of what building a network takes, and each family has its own way to draw them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from torch import nn

_later: ContextVar[bool] = ContextVar("later", default=False)


@contextmanager
def drawn_later() -> Iterator[None]:
    """Inside, a new Conv2d or Linear of this file holds whatever was in its memory: `initialise` has to follow."""
    before = _later.set(True)
    try:
        yield
    finally:
        _later.reset(before)


class Conv2d(nn.Conv2d):
    def reset_parameters(self) -> None:
        if not _later.get():
            super().reset_parameters()


class Linear(nn.Linear):
    def reset_parameters(self) -> None:
        if not _later.get():
            super().reset_parameters()
