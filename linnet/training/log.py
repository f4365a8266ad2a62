"""What happened, as JSON lines and for TensorBoard."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from ..files import NO_ROOM
from ..weights.tensors import DiskFull

if TYPE_CHECKING:
    import numpy as np

NAME = "log.jsonl"
PATIENCE = 10.0  # seconds that TensorBoard's numbers may wait: waking its thread in every step cost 2 ms of each


class Log:
    """`log.jsonl`, cut to `log_bytes` first: what a killed run wrote after its checkpoint is about to happen again.

    So the log of a resumed run says the same as that of an uninterrupted one, but for times.
    """

    def __init__(self, folder: Path, log_bytes: int, total: int) -> None:
        self._file = open(folder / NAME, "ab")  # noqa: SIM115  (closed in close)
        self._file.truncate(min(log_bytes, self._file.tell()))
        self._file.seek(0, os.SEEK_END)
        self._board = _board(folder / "tensorboard", total)
        self._waiting: list[tuple[int, float, dict[str, float]]] = []  # for the board: steps, when, values

    def step(self, total: int, **values: Any) -> None:
        self._write("step", values)
        self._scalars("train", total, {k: values[k] for k in ("loss", "lr", "gradient_norm", "images_per_second")})

    def epoch(self, total: int, **values: Any) -> None:
        self._write("epoch", values)
        top = {k: v for k, v in values["validation"].items() if isinstance(v, float)} if values["validation"] else {}
        self._scalars("validation", total, top)
        self._scalars(
            "epoch",
            total,
            {k: values[k] for k in ("train_loss", "train_top1", "train_labels_right", "image") if k in values},
        )

    def end(self, total: int, **values: Any) -> None:
        """The last line of a run that has come to its end."""
        self._write("end", values)
        top = {k: v for k, v in values["raw"].items() if isinstance(v, float)} if values["raw"] else {}
        self._scalars("validation_raw", total, top)

    def pictures(self, total: int, pixels: np.ndarray) -> None:
        """uint8 [H, W, 3], for TensorBoard alone."""
        if self._board:
            self._board.add_image("train/batch", pixels, total, dataformats="HWC")

    @property
    def draws(self) -> bool:
        """Whether pictures would be kept: making them in vain costs time."""
        return self._board is not None

    def note(self, text: str, **values: Any) -> None:
        self._write("note", {"text": text, **values})

    def sync(self) -> int:
        """Everything so far is on the disk; returns how many bytes that is."""
        self._hand_over()
        self._file.flush()
        os.fsync(self._file.fileno())
        return self._file.tell()

    def close(self) -> None:
        self._file.close()
        self._hand_over()
        if self._board:
            self._board.close()

    def _write(self, kind: str, values: dict[str, Any]) -> None:
        line = json.dumps({"kind": kind, **values}, ensure_ascii=False, allow_nan=False)
        try:
            self._file.write(line.encode() + b"\n")
            self._file.flush()
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            raise DiskFull(
                f"{self._file.name}: cannot be written ({error.strerror}). The last checkpoint is good. Free some space, then:"
                f" linnet train --resume {quote(str(Path(self._file.name).parent))}"
            ) from None

    def _scalars(self, group: str, total: int, values: dict[str, Any]) -> None:
        if self._board:
            kept = {f"{group}/{name}": value for name, value in values.items() if value is not None}
            self._waiting.append((total, time.time(), kept))
            if time.time() - self._waiting[0][1] > PATIENCE:
                self._hand_over()

    def _hand_over(self) -> None:
        """Give TensorBoard what waits for it, as one event of a step, not one of a number."""
        if not self._board or not self._waiting:
            return
        from tensorboard.compat.proto.summary_pb2 import Summary  # pyright: ignore[reportAttributeAccessIssue]

        writer = self._board._get_file_writer()
        for total, when, kept in self._waiting:
            summary = Summary(value=[Summary.Value(tag=tag, simple_value=value) for tag, value in kept.items()])
            writer.add_summary(summary, total, when)
        self._waiting.clear()


class Silence(Log):
    """What the other processes of a run write: nothing."""

    def __init__(self) -> None:
        self._board = None

    def sync(self) -> int:
        return 0

    def close(self) -> None:
        pass

    def _write(self, kind: str, values: dict[str, Any]) -> None:
        pass


def read_log(folder: str | Path) -> list[dict[str, Any]]:
    """The lines of a run's log; a last line that a power cut left half-written is passed over."""
    lines = (Path(folder) / NAME).read_bytes().split(b"\n")
    return [json.loads(line) for line in lines[:-1]]


def _board(folder: Path, total: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:  # TensorBoard is a convenience; log.jsonl is the record
        return None
    return SummaryWriter(str(folder), purge_step=total)
