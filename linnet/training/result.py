"""What a finished run has to show."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Result:
    """The best epoch by validation, as it lies in the folder's best.safetensors. Epochs count from 0."""

    folder: Path
    epochs: int
    best_epoch: int
    validation: dict[str, Any] | None  # of the best epoch: top1, top5, loss, interval, n
    seconds: float  # of this process; a resumed run counts from where it went on

    def to_json(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "folder": str(self.folder)}

    def __str__(self) -> str:
        text = f"{self.folder}: epoch {self.best_epoch + 1} of {self.epochs} is the best"
        if self.validation:
            low, high = self.validation["interval"]
            text += f", {100 * self.validation['top1']:.1f} % of {self.validation['n']:,} validation photos"
            text += f" ({100 * low:.1f} to {100 * high:.1f})"
        return f"{text}. {self.seconds:.0f} s. Next: linnet evaluate {self.folder}"
