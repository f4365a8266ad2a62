"""Files that are whole or absent: temporary file, fsync, rename. Standard library only."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import FileError

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


@contextmanager
def written_whole(path: str | Path) -> Generator[Path]:
    """Give a temporary path beside `path`; when the block ends well it replaces `path`, else it is removed.

    A reader, a killed process or a full disk sees the old file or the new one, never a part.
    Raises: FileError for whatever the system refuses.
    """
    path = Path(path)
    with _refusals_explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            with open(temporary, "rb+") as file:
                os.fsync(file.fileno())
            os.replace(temporary, path)
            sync_folder(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def _refusals_explained(path: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        full = error.errno in NO_ROOM
        reason = "Not a directory" if isinstance(error, FileExistsError) else error.strerror or error
        remedy = "Free some space and try again." if full else "Give another place, or make this one writable."
        raise FileError(f"{path}: cannot be written ({reason}). {remedy}") from error


@contextmanager
def locked(path: str | Path) -> Generator[None]:
    """Have `path` to ourselves while the block lasts: who else asks for it, another process say, waits.

    For a file that is read, changed and written again. The lock is a file beside it that stays; where the system has no
    such locks (Windows), or the place has none (some network drives), the block runs without.
    """
    with _lock(Path(path).with_name(f".{Path(path).name}.lock")):
        yield


@contextmanager
def held(path: str | Path, busy: str) -> Generator[None]:
    """Have the lock `path`, a file that stays, while the block lasts: who else asks for it is refused. Else as `locked`.

    Raises: FileError that says `busy`, where another process has it.
    """
    with _lock(Path(path), busy):
        yield


@contextmanager
def _lock(place: Path, busy: str = "") -> Generator[None]:
    """Wait for the lock, or where there is something to say of it, say it."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    with _refusals_explained(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(place, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (fcntl.LOCK_NB if busy else 0))
        except BlockingIOError:
            raise FileError(busy) from None
        except OSError:  # this place has no locks
            pass
        yield
    finally:
        os.close(handle)  # which gives it free


def sync_folder(folder: Path) -> None:
    """Make a rename inside `folder` survive a power cut (where the system knows how)."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_text(path: str | Path, text: str) -> None:
    with written_whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
        temporary.chmod(0o644)


def write_json(path: str | Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def sha256_file(path: str | Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cache_folder() -> Path:
    """Where Linnet keeps what it can make again: $LINNET_CACHE, else the user's cache folder."""
    chosen = os.environ.get("LINNET_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(chosen) if chosen else Path(base) / "linnet"


def fresh_folder(path: str | Path) -> Path:
    """Make and return `path`, or `path-2`, `path-3`, ... if something is there already: nothing is overwritten.

    Raises: FileError where no folder can be made.
    """
    path, n = Path(path), 1
    while True:
        candidate = path if n == 1 else path.with_name(f"{path.name}-{n}")
        with _refusals_explained(candidate):
            try:
                candidate.mkdir(parents=True)
                return candidate
            except FileExistsError:
                n += 1


def free_file(path: str | Path) -> Path:
    """`path`, or NAME-2.ending, NAME-3.ending, ... if something is there already: nothing is overwritten."""
    path, n = Path(path), 1
    candidate = path
    while os.path.lexists(candidate):
        n += 1
        candidate = path.with_name(f"{path.stem}-{n}{path.suffix}")
    return candidate
