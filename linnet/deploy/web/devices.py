"""The times that phones send: read as strangers' words, kept as a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

TEXTS = ("name", "model", "platform", "architecture", "browser", "gpu", "userAgent", "screen")
NUMBERS = ("cores", "memoryGiB", "threads")
TIMES = ("median", "p10", "p90", "p99", "least", "first")
LONGEST = 300  # characters of one text
SLOWEST = 600_000.0  # ms


@dataclass(frozen=True)
class Device:
    """One device and its times in ms for one picture: the model alone, and `prepare`, the scaling of a 640 x 480 picture.

    `clock` is the step of its browser's clock in ms, `drift` by how much the last third was slower than the first.
    """

    name: str
    facts: Mapping[str, str | float]
    runtime: str
    image: int
    latency: Mapping[str, float]
    samples: int
    prepare: float
    drift: float
    clock: float
    time: str

    def line(self) -> str:
        times = "  ".join(f"{self.latency[name]:8.2f}" for name in ("median", "p10", "p90", "p99"))
        return f"{self.name[:28]:28}  {times}  {self.facts['threads']:7.0f}  {str(self.facts['browser'])[:28]}".rstrip()


HEAD = f"{'device':28}  {'median':>8}  {'p10':>8}  {'p90':>8}  {'p99':>8}  threads  browser"


@dataclass(frozen=True)
class DeviceTable:
    """The devices that have sent their times for one model, in ms. `file` is where they were written, if there are any."""

    bundle: str
    sha256: str
    devices: tuple[Device, ...] = ()
    file: str = ""

    def __str__(self) -> str:
        if not self.devices:
            return "No device has sent its times."
        lines = [HEAD, *(one.line() for one in self.devices)]
        lines += [
            f"{one.name}: changed while it was measured: {abs(100 * one.drift):.0f} % {'slower' if one.drift > 0 else 'faster'}"
            " at the end than at the start. Measure it again."
            for one in self.devices
            if abs(one.drift) > 0.1
        ]
        return "\n".join([*lines, f"ms for one picture, the model alone; written to {self.file}"])

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": "linnet devices",
            "schema": 1,
            "bundle": self.bundle,
            "sha256": self.sha256,
            "devices": [asdict(one) for one in self.devices],
        }


def read_device(value: Any, sha256: str) -> Device:
    """What a page has sent, if it is of the form that our page sends and of the model with this hash.

    Raises: ValueError saying what is wrong.
    """
    try:
        if value["kind"] != "linnet device" or value["schema"] != 1:
            raise ValueError("it is no result of this page")
        if value["sha256"] != sha256:
            raise ValueError("it is of another model; load the page again")
        device, latency = value["device"], value["latency"]
        facts: dict[str, str | float] = {name: _text(device[name]) for name in TEXTS[1:]}
        facts |= {name: _number(device[name], 100_000) for name in NUMBERS}
        return Device(
            name=_text(device["name"]) or "unknown device",
            facts=facts,
            runtime=_text(value["runtime"]),
            image=int(_number(value["image"], 16_384)),
            latency={name: _number(latency[name], SLOWEST) for name in TIMES},
            samples=int(_number(latency["samples"], 10**7)),
            prepare=_number(value["prepare"]["median"], SLOWEST),
            drift=_number(latency["drift"], 1e6, least=-1),
            clock=_number(latency["clockStep"], SLOWEST),
            time=_text(value["time"]),
        )
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(f"something is missing or of another kind ({type(error).__name__}: {error})") from None


def _text(value: Any) -> str:
    """At most 300 characters that a terminal can print."""
    if not isinstance(value, str):
        raise TypeError("a text is expected")
    return "".join(c if c.isprintable() else "?" for c in value[:LONGEST])


def _number(value: Any, most: float, *, least: float = 0) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("a number is expected")
    if not least <= value <= most:  # which no NaN is
        raise ValueError(f"a number is not between {least:g} and {most:g}")
    return value
