"""The one number that the best epoch is chosen by, and how it is said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def score(validation: Mapping[str, Any]) -> float:
    """Top-1 accuracy, or mean average precision where photos have several labels each; 0 to 1."""
    return validation["mean_average_precision" if "mean_average_precision" in validation else "top1"]


def described(validation: Mapping[str, Any], of: str) -> str:
    """The score in words, `of` these photos."""
    if "mean_average_precision" in validation:
        return f"mean average precision {100 * score(validation):.1f} %{of}"
    low, high = validation["interval"]
    return f"{100 * validation['top1']:.1f} %{of} ({100 * low:.1f} to {100 * high:.1f})"
