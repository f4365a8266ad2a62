"""What happened, as JSON lines and for TensorBoard."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

NAME = "log.jsonl"


class Log:
    """`log.jsonl`, cut to `log_bytes` first: what a killed run wrote after its checkpoint is about to happen again.

    So the log of a resumed run says the same as that of an uninterrupted one, but for times.
    """

    def __init__(self, folder: Path, log_bytes: int, total: int) -> None:
        self._file = open(folder / NAME, "ab")  # noqa: SIM115  (closed in close)
        self._file.truncate(min(log_bytes, self._file.tell()))
        self._file.seek(0, os.SEEK_END)
        self._board = _board(folder / "tensorboard", total)

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
        self._file.flush()
        os.fsync(self._file.fileno())
        return self._file.tell()

    def close(self) -> None:
        self._file.close()
        if self._board:
            self._board.close()

    def _write(self, kind: str, values: dict[str, Any]) -> None:
        line = json.dumps({"kind": kind, **values}, ensure_ascii=False, allow_nan=False)
        self._file.write(line.encode() + b"\n")
        self._file.flush()

    def _scalars(self, group: str, total: int, values: dict[str, Any]) -> None:
        if self._board:
            for name, value in values.items():
                if value is not None:
                    self._board.add_scalar(f"{group}/{name}", value, total)


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
