"""What a training step needs of memory, as a value that prints itself. No torch here: memory.py finds it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ..arch.show import Sheet, show
from ..arch.spec import Arch

Precision = Literal["fp32", "bf16"]
MB = 1e6
RESIDENT = 1.2  # measured on a CPU: gaps between glibc's blocks, workspace of oneDNN (benchmarks/train_memory.py)


@dataclass(frozen=True)
class TrainMemory:
    """Of one training step, in bytes. `rows` are what autograd keeps of each row: (name, bytes).

    `peak` is the most that all tensors take at once: weights, their average (EMA), the optimiser's two states, gradients,
    the batch, all rows' kept tensors, and what is only there for a moment. `resident` is what that comes to in a process
    on a CPU.
    """

    arch: Arch
    image: int
    batch: int
    precision: Precision
    rows: tuple[tuple[str, int], ...]
    weights: int
    average: int
    gradients: int
    optimizer: int
    photos: int
    peak: int

    @property
    def kept(self) -> int:
        return sum(size for _, size in self.rows)

    @property
    def resident(self) -> int:
        return round(self.peak * RESIDENT)

    def __str__(self) -> str:
        return show(self.sheet(), "text")

    def sheet(self) -> Sheet:
        parts = (
            *((name, f"{size / MB:,.1f}") for name, size in self.rows),
            ("kept for the backward pass", f"{self.kept / MB:,.1f}"),
            ("weights and BN statistics", f"{self.weights / MB:,.1f}"),
            ("their average", f"{self.average / MB:,.1f}"),
            ("gradients", f"{self.gradients / MB:,.1f}"),
            ("optimiser (AdamW, RMSProp)", f"{self.optimizer / MB:,.1f}"),
            ("batch of photos", f"{self.photos / MB:,.1f}"),
        )
        title = f"{self.arch.name} in training: {self.batch} photos of {self.image} pixels, {self.precision}"
        note = (
            f"At most {self.peak / MB:,.0f} MB of tensors at once; on a CPU about {self.resident / MB:,.0f} MB of the"
            " process: a fifth more was measured, give or take as much (gaps between blocks, kernels' own workspace)."
        )
        return Sheet(title, ("row", "MB"), parts, ("most at once", f"{self.peak / MB:,.1f}"), note)

    def to_json(self) -> dict[str, Any]:
        names = (
            "image",
            "batch",
            "precision",
            "weights",
            "average",
            "gradients",
            "optimizer",
            "photos",
            "kept",
            "peak",
        )
        return {
            "name": self.arch.name,
            **{name: getattr(self, name) for name in names},
            "resident_on_cpu": self.resident,
            "rows": [{"row": name, "kept": size} for name, size in self.rows],
        }
