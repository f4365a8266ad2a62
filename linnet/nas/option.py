"""A network at an image size on a runtime: what is known of it, before it is trained and after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ..deploy.bench.measured import columns, ms

FITS = "fits"


@dataclass(frozen=True)
class Option:
    """`way`: runtime and precision, "openvino-bf16". `predicted_ms` stands before anything was measured, `measured_ms`
    after, on drawn weights. `size_bytes`: the runtime's files. `accuracy`: on the validation photos after a short
    training, a share. `verdict`: "fits", or why not.
    """

    arch: str
    image: int
    way: str
    size_bytes: int
    predicted_ms: float | None = None
    measured_ms: float | None = None
    memory_bytes: int | None = None
    accuracy: float | None = None
    verdict: str = FITS

    @property
    def name(self) -> str:
        return f"{self.arch} {self.image} px, {self.way}"

    @property
    def fits(self) -> bool:
        return self.verdict == FITS

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> Option:
        """Raises: TypeError for what `to_json` does not write."""
        return Option(**value)


def option_lines(options: tuple[Option, ...], chosen: Option | None) -> list[str]:
    """The table of what was looked at, those that fit first, the most accurate on top; a star marks the chosen one."""
    order = sorted(options, key=lambda one: (not one.fits, -(one.accuracy or 0), one.measured_ms or float("inf")))
    memory = any(one.memory_bytes for one in options)
    head = ["", "image", "runtime", "predicted ms", "measured ms", "MB", *["memory MB"] * memory, "short training", ""]
    rows = []
    for one in order:
        star = " *" if one == chosen else ""
        rows.append([
            one.arch + star, str(one.image), one.way, ms(one.predicted_ms), ms(one.measured_ms),
            f"{one.size_bytes / 1e6:.1f}", *["" if one.memory_bytes is None else f"{one.memory_bytes / 1e6:.0f}"] * memory,
            "" if one.accuracy is None else f"{100 * one.accuracy:.1f} %", one.verdict,
        ])  # fmt: skip
    return columns(head, rows)
