"""What Linnet says when it cannot go on. Every message ends with what to do next."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from datetime import timedelta
from difflib import SequenceMatcher, get_close_matches


class LinnetError(Exception):
    """A mistake the user can mend: one clear line, no traceback, exit code 1."""


class DataError(LinnetError):
    """The photos, or the folder that holds them, cannot be used as they are."""


class SettingError(LinnetError):
    """A name, recipe or flag has a value that is not allowed."""


class WeightsError(LinnetError):
    """Weights, a checkpoint or a bundle are missing, damaged or do not fit."""


class FileError(LinnetError):
    """A file or folder cannot be made or written."""


class TrainingError(LinnetError):
    """Training cannot go on; the last good state is on disk."""


class ProofError(LinnetError):
    """An exported model does not predict what the network predicts."""


@contextmanager
def others_answer(limit: timedelta | None = None) -> Generator[None]:
    """For what several processes do together, each waiting for all: `limit` is how long, where that is known.

    Raises: TrainingError where another process is gone or does not answer in time.
    """
    try:
        yield
    except RuntimeError as error:
        what = " ".join(str(error).split())
        time = "in time" if limit is None else f"for {limit.total_seconds():,.0f} s"
        raise TrainingError(
            f"Another process of this run ended, or did not answer {time} ({what[:120]})."
            " What it said stands above. Go on with: linnet train --resume RUN"
        ) from error


def interrupted(error: BaseException | None) -> bool:
    """Whether an error is Ctrl-C underneath: torch's exporter, for one, makes an error of its own of it."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def is_out_of_memory(error: RuntimeError) -> bool:
    """Of a GPU (torch.OutOfMemoryError) or of the machine, whose error has no class of its own."""
    words = ("out of memory", "can't allocate memory", "not enough memory")
    return type(error).__name__ == "OutOfMemoryError" or any(word in str(error) for word in words)


def did_you_mean(given: str, allowed: Iterable[str]) -> str:
    """The nearest allowed names as a sentence, or nothing.

    >>> did_you_mean("efficientnet_bo", ["efficientnet_b0", "resnet50"])
    " Did you mean 'efficientnet_b0'?"
    """
    names = {name.lower(): name for name in set(allowed)}
    near = get_close_matches(given.lower(), names, n=len(names) or 1, cutoff=0.6)
    likeness = {name: SequenceMatcher(None, name, given.lower()).ratio() for name in near}
    near.sort(key=lambda name: (-round(likeness[name], 6), name))  # of equals the first by name: b0 before b8
    return f" Did you mean {' or '.join(repr(names[name]) for name in near[:3])}?" if near else ""
