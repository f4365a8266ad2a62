"""Decode pictures in processes of their own: one that kills or hangs its decoder costs only itself.

Plain child processes and lines of JSON, not multiprocessing: a hung child can be killed and the picture it died of is known;
nothing is forked under the threads of torch, and a script without `if __name__ == "__main__"` works too.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from ..cores import available_cores
from ..errors import LinnetError

if TYPE_CHECKING:
    from .mend import Mended
    from .shard import Packed

CHUNK = 32  # pictures handed to a child at once: enough to keep it busy, few enough to fit the pipe's buffer


@dataclass(frozen=True)
class Look:
    """What decoding one picture showed: why it is bad (None: it is good), else its size upright, its oddities, its format.

    `thumb` is the whole picture squashed to 16 x 16 RGB pixels, uint8: what near.py and tone.py go by.
    """

    bad: str | None = None
    size: tuple[int, int] = (0, 0)
    notes: list[str] = field(default_factory=list)
    kind: str = ""
    thumb: bytes = field(default=b"", repr=False, compare=False)


def look(source: str | Packed | Mended) -> Look:
    """Decode the whole file, a JPEG at reduced scale (that still reads every byte of it); check every byte of packed pixels."""
    from PIL import Image

    from .image import BadImage, image_kind, open_image
    from .mend import Mended
    from .near import SIDE
    from .shard import Packed

    notes: list[str] = []
    size = (0, 0)

    def enough(wide: int, high: int) -> tuple[int, int]:
        nonlocal size
        size = (wide, high)  # as the header has it, before a JPEG is scaled
        return (32, 32)

    try:
        if isinstance(source, Packed):
            source.check()
            picture, size = source.picture(), (source.width, source.height)
            kind = "JPEG" if source.jpeg else "PPM"
        else:
            path, part = (source.path, source.read()) if isinstance(source, Mended) else (source, None)
            notes += [] if part is None else [str(part)]
            picture = open_image(path if part is None else part.data, at_least=enough, notes=notes)
            with open(path, "rb") as file:
                kind = image_kind(file.read(32)) or ""
        # Smoothed over two pixels of the thumbnail: a copy at another size then differs little, wherever its pixels lie.
        thumb = picture.resize((SIDE, SIDE), Image.Resampling.BILINEAR, reducing_gap=3.0).tobytes()
    except BadImage as error:
        return Look(bad=error.text)
    except OSError as error:  # gone since it was decoded
        return Look(bad=f"it cannot be read ({error.strerror})")
    return Look(size=size, notes=list(dict.fromkeys(notes)), kind=kind, thumb=thumb)


def inspect(
    paths: Sequence[str | Packed | Mended],
    *,
    workers: int | None = None,
    seconds: float = 60,
    progress: Callable[[int, int], None] | None = None,
    command: Sequence[str] | None = None,
) -> list[Look]:
    """Look at every path; a picture that takes longer than `seconds` or ends its process is bad, the others go on."""
    workers = max(1, min(workers or available_cores(), -(-len(paths) // CHUNK)))
    command = command or [sys.executable, "-m", __name__]
    waiting: SimpleQueue[list[int]] = SimpleQueue()
    for start in range(0, len(paths), CHUNK):
        waiting.put(list(range(start, min(start + CHUNK, len(paths)))))
    looks: dict[int, Look] = {}
    children = [_Child(command) for _ in range(workers)]
    failures: list[BaseException] = []

    def work(child: _Child) -> None:
        try:
            while True:
                chunk = waiting.get_nowait()
                for n, seen in zip(chunk, child.looks(paths[i] for i in chunk), strict=True):
                    looks[n] = seen
        except Empty:
            pass
        except BaseException as error:  # said again by the thread that waits
            failures.append(error)
        finally:
            child.end()

    threads = [threading.Thread(target=work, args=(child,), daemon=True) for child in children]
    try:
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            threads[0].join(0.05) if threads[0].is_alive() else time.sleep(0.05)
            for child in children:
                child.stop_if_late(seconds)
            if progress is not None:
                progress(len(looks), len(paths))
            if failures:
                break
    finally:  # also on Ctrl-C: no child stays behind
        while not waiting.empty():
            waiting.get()
        for child in children:
            child.kill()
        for thread in threads:
            thread.join()
    if failures:
        raise failures[0]
    if progress is not None:
        progress(len(paths), len(paths))
    return [looks[n] for n in range(len(paths))]


class _Child:
    """One child process, started again after a picture took it down."""

    def __init__(self, command: Sequence[str]) -> None:
        self.command = command
        self.process: subprocess.Popen[str] | None = None
        self.since: float | None = None  # when it began with the picture it is at
        self.late = self.over = False
        self.lock = threading.Lock()

    def looks(self, paths: Iterable[str | Packed | Mended]) -> list[Look]:
        """The looks at these paths, in order."""
        left, seen = list(paths), []
        while left:
            answers = self._answers(self._started(), left)
            seen += answers
            left = left[len(answers) :]
            if not left:
                break
            if self.over:
                raise LinnetError("The look at the photos was stopped.")
            late = self.late
            code = self.end()
            took = "takes too long to decode" if late else f"ends the process that decodes it (code {code})"
            seen.append(Look(bad=f"it {took}"))
            left = left[1:]
        return seen

    def _answers(self, process: subprocess.Popen[str], paths: list[str | Packed | Mended]) -> list[Look]:
        assert process.stdin is not None
        assert process.stdout is not None
        answers: list[Look] = []
        try:
            process.stdin.write(json.dumps(paths, default=asdict) + "\n")
            process.stdin.flush()
            self._now_at_next()
            for line in process.stdout:
                if not line.endswith("\n"):
                    break  # cut off by its end
                bad, size, notes, kind, thumb = json.loads(line)
                answers.append(Look(bad, tuple(size), notes, kind, base64.b64decode(thumb)))
                self._now_at_next()
                if len(answers) == len(paths):
                    break
        except OSError:  # it ended before it had read them
            pass
        with self.lock:
            self.since = None
        return answers

    def _now_at_next(self) -> None:
        with self.lock:
            self.since = time.monotonic()

    def _started(self) -> subprocess.Popen[str]:
        if self.process is not None:
            return self.process
        root = str(Path(__file__).resolve().parents[2])  # so that the child imports the very same Linnet
        path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
        with self.lock:
            if self.over:
                raise LinnetError("The look at the photos was stopped.")
            self.late = False
            process = self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # libtiff and libpng print there, past Python
                env={**os.environ, "PYTHONPATH": path, "PYTHONWARNINGS": "ignore"},
                text=True,
                encoding="ascii",
            )
        if process.stdout is None or process.stdout.readline() != "ready\n":
            self.end()
            raise LinnetError(f"Cannot start {' '.join(self.command)} to decode photos; run it by hand to see why.")
        return process

    def stop_if_late(self, seconds: float) -> None:
        with self.lock:
            if self.process is not None and self.since is not None and time.monotonic() - self.since > seconds:
                self.late, self.since = True, None
                self.process.kill()

    def kill(self) -> None:
        with self.lock:
            self.over = True
            if self.process is not None:
                self.process.kill()

    def end(self) -> int | None:
        """Close the pipes and wait: a child that has nothing to read ends by itself."""
        process, self.process = self.process, None
        if process is None:
            return None
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):  # unsent lines of a dead child
                if pipe is not None:
                    pipe.close()
        try:
            return process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()


def main() -> None:
    """The child: a JSON list of paths in, a line of JSON per path out (a Look's values), until there is no more to read."""
    if hasattr(signal, "SIGINT"):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    from . import image, near  # noqa: F401  loaded before "ready", so that the first picture is not blamed for it
    from .mend import Mended
    from .shard import Packed

    print("ready", flush=True)
    for line in sys.stdin:
        for source in json.loads(line):
            if isinstance(source, dict):
                source = (Packed if "shard" in source else Mended)(**source)
            seen = look(source)
            thumb = base64.b64encode(seen.thumb).decode("ascii")
            print(json.dumps([seen.bad, seen.size, seen.notes, seen.kind, thumb]), flush=True)


if __name__ == "__main__":
    main()
