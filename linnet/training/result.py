"""What a finished run has to show."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any

from .score import described


@dataclass(frozen=True)
class Result:
    """The best epoch by validation, as it lies in the folder's best.safetensors. Epochs count from 0."""

    folder: Path
    epochs: int
    best_epoch: int
    validation: dict[str, Any] | None  # of the best epoch: what `validate` gives
    seconds: float  # of this process; a resumed run counts from where it went on
    photos: str | None = None
    split: str = "test"  # that can be measured on next

    def to_json(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "folder": str(self.folder)}

    def __str__(self) -> str:
        text = f"{self.folder}: epoch {self.best_epoch + 1} of {self.epochs} is the best"
        if self.validation:
            n = self.validation["n"]
            text += f", {described(self.validation, f' of {n:,} validation photos')}"
        split = "" if self.split == "test" else f" --split {self.split}"
        where = quote(self.photos) if self.photos else "PHOTOS"
        return f"{text}. {self.seconds:.0f} s. Next: linnet evaluate {quote(str(self.folder))} {where}{split}"
