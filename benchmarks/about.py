"""On what and when something was measured: stands in every file of results."""

from __future__ import annotations

import os
import platform
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from linnet.deploy.certificate import machine


def about() -> dict[str, Any]:
    found: dict[str, Any] = {
        "date": date.today().isoformat(),
        "machine": machine(),
        "load": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
    }
    for name in ("torch", "torchvision", "timm", "pillow", "onnxruntime", "linnet-vision"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found
