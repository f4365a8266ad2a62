"""Ends a run in the middle of a step, as a power cut would: for the tests of resuming."""

from __future__ import annotations

from collections.abc import Callable

from linnet.training.progress import Progress


class PowerCut(Exception):
    pass


class At(Progress):
    """Does `what` when step number `at` (from 1) of this process has been logged and before it is saved."""

    def __init__(self, at: int, what: Callable[[], object]) -> None:
        super().__init__(quiet=True)
        self.left, self.what = at, what

    def step(self, *args: object) -> None:
        self.left -= 1
        if self.left == 0:
            self.what()


def power_cut() -> None:
    raise PowerCut
