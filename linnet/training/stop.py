"""Ctrl-C and SIGTERM: finish the step, save, leave, and say how to go on."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType

from ..errors import TrainingError


class TrainingStopped(TrainingError):
    """The run was asked to stop and has saved where it stands."""

    exit_code = 75  # sysexits.h EX_TEMPFAIL, "try again later": what a scheduler needs to know to start it again


class Interrupted(BaseException):
    """Raised where the run waits for something that may be begun again, such as validation."""


class StopRequest:
    """While it is entered, the first SIGINT or SIGTERM sets `asked`; the second does what it always did.

    Inside `interrupting()` the first one also raises Interrupted on the spot.
    """

    def __init__(self) -> None:
        self.asked = False
        self._interrupts = False

    def __enter__(self) -> StopRequest:
        self._before = {}
        if threading.current_thread() is threading.main_thread():  # elsewhere Python takes no handlers
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def interrupting(self) -> Iterator[None]:
        self._interrupts = True
        try:
            if self.asked:
                raise Interrupted
            yield
        finally:
            self._interrupts = False

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        for each, handler in self._before.items():
            signal.signal(each, handler)
        if self._interrupts:
            raise Interrupted
