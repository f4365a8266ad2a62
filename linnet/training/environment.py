"""On what a run was made: with another machine or version the last bits may differ, and a resumed run says so."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from ..cores import available_cores

PACKAGES = ("linnet-vision", "torch", "torchvision", "numpy", "pillow", "safetensors")


def describe(device: torch.device, processes: int = 1) -> dict[str, Any]:
    """Plain values, the same for two runs whose results may be compared bit by bit."""
    return {
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": available_cores(),
        "kernels": torch.backends.cpu.get_cpu_capability(),
        "processes": processes,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
    }


def differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What is not as it was, such as "torch 2.11.0, now 2.15.0"."""
    flat_before = {**before, **before.get("packages", {})}
    flat_now = {**now, **now["packages"]}
    return [
        f"{name} {flat_before.get(name)}, now {value}"
        for name, value in flat_now.items()
        if name not in ("packages", "linnet-vision") and flat_before.get(name) != value
    ]


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()
