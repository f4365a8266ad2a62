"""What a model may take on the device that it is made on."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from ..deploy.runtime.known import RUNTIMES, WAYS, find_way, is_here
from ..errors import SettingError, did_you_mean

LIMITS = ("latency_ms", "size_mb", "memory_mb", "minutes")


@dataclass(frozen=True)
class Budget:
    """Limits of one model; None limits nothing.

    latency_ms: the median of a call with one picture, with so many `threads` (0: one per core). size_mb: the runtime's
    files, in millions of bytes. memory_mb: the most that a new process has while it loads the model and predicts once.
    runtime: "auto", a runtime ("openvino") with all its precisions, or one way ("openvino-bf16"). minutes: for all of `fit`.
    Raises: SettingError for values that are no limits, and for a runtime that is not known.
    """

    latency_ms: float | None = None
    size_mb: float | None = None
    memory_mb: float | None = None
    threads: int = 0
    runtime: str = "auto"
    minutes: float | None = None

    def __post_init__(self) -> None:
        for name in LIMITS:
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise SettingError(f"--{flag(name)} is {value:g}; give a number above 0, or leave it out.")
        if self.threads < 0:
            raise SettingError(f"--threads is {self.threads}; give 1 or more, or 0 for one per core.")
        # Not one whose file is a program: that takes half a minute to compile for each network, and nothing opens it unasked.
        runtimes = [name for name, known in RUNTIMES.items() if not known.program]
        ways = [name for name, (known, _) in WAYS.items() if not known.program]
        allowed = list(dict.fromkeys(("auto", *runtimes, *ways)))
        if self.runtime in WAYS and self.runtime not in allowed:
            raise SettingError(
                f"{RUNTIMES[self.runtime].title} is not chosen under a budget: its file is compiled for this kind of processor"
                f" alone. Leave --runtime out, and make it of the finished run: linnet export RUN --to {self.runtime}"
            )
        if self.runtime not in allowed:
            raise SettingError(
                f"There is no runtime {self.runtime!r}; allowed: {', '.join(allowed)}.{did_you_mean(self.runtime, allowed)}"
            )

    def ways(self) -> tuple[str, ...]:
        """The ways that may be taken and can be made on this machine.

        Raises: SettingError, with what to install, when there is none.
        """
        known_ways = [(name, known) for name, (known, _) in WAYS.items() if not known.program]
        wanted = [name for name, known in known_ways if self.runtime in ("auto", name, known.name)]
        if here := tuple(name for name in wanted if can_make(name)):
            return here
        known, precision = find_way(wanted[0])
        missing = "" if not is_here(known.module) or precision != "int8" else f" (int8 needs {known.maker_of('int8')})"
        raise SettingError(f"{known.title} is not installed{missing}. Install it with: {known.install}")

    def excess(self, latency_ms: float | None, size_bytes: int, memory_bytes: int | None) -> str:
        """In words by what these figures are over the budget; "" when they are within. Memory that could not be measured
        is over any limit of it."""
        said = []
        if self.latency_ms is not None and latency_ms is not None and latency_ms > self.latency_ms:
            said.append(f"{latency_ms:.2f} ms of {self.latency_ms:g}")
        if self.size_mb is not None and size_bytes > 1e6 * self.size_mb:
            said.append(f"{size_bytes / 1e6:.1f} MB of {self.size_mb:g}")
        if self.memory_mb is not None and memory_bytes is None:
            said.append("memory that cannot be measured here")
        elif self.memory_mb is not None and memory_bytes is not None and memory_bytes > 1e6 * self.memory_mb:
            said.append(f"{memory_bytes / 1e6:.0f} MB of memory of {self.memory_mb:g}")
        return ", ".join(said)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        said = [
            f"{value:g} {unit}"
            for value, unit in ((self.latency_ms, "ms"), (self.size_mb, "MB"), (self.memory_mb, "MB of memory"))
            if value is not None
        ]
        return ", ".join(said)


def asked(
    latency_ms: float | None,
    size_mb: float | None,
    memory_mb: float | None,
    *,
    threads: int | None,
    runtime: str | None,
    minutes: float | None,
) -> Budget | None:
    """The budget that the flags say, or none where none of the three limits is given.

    Raises: SettingError, also for flags that mean nothing without a limit.
    """
    if latency_ms is None and size_mb is None and memory_mb is None:
        others = {"threads": threads, "runtime": runtime, "minutes": minutes}
        if lone := next((name for name, value in others.items() if value is not None), ""):
            raise SettingError(
                f"--{lone} belongs to a budget. Add --latency-ms, --size-mb or --memory-mb, or leave it out."
            )
        return None
    return Budget(latency_ms, size_mb, memory_mb, threads or 0, runtime or "auto", minutes)


def can_make(way: str) -> bool:
    """Whether this machine has what makes a way's files and what runs them."""
    known, precision = find_way(way)
    return is_here(known.module) and is_here(known.maker_of(precision))


def flag(name: str) -> str:
    return name.replace("_", "-")
