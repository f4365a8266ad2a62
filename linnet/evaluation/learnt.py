"""What a model has learnt from, as its run's folder says it: such photos prove nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def training_of(model: Path, facts: Mapping[str, Any]) -> tuple[dict[str, float], frozenset[str]]:
    """How a run split its photos (shares for find_photos) and the digests of those it trained on; empty if unknown.

    `model`: a run, or a bundle or file in its folder. `facts` are the model's: a bundle has its recipe there.
    """
    try:
        recipe = facts.get("recipe") or json.loads((home_of(model) / "recipe.json").read_text(encoding="utf-8"))
        shares = {name: float(recipe[name]) for name in ("validation", "test") if name in recipe}
    except (OSError, ValueError, TypeError):
        shares = {}
    return shares, digests_of(model, "train")


def digests_of(model: Path, split: str) -> frozenset[str]:
    """Of the photos of a run's own split; empty if unknown."""
    try:
        files = json.loads((home_of(model) / "data.json").read_text(encoding="utf-8"))["files"][split]
        return frozenset(digest for _path, _label, digest in files)
    except (OSError, ValueError, TypeError, KeyError):
        return frozenset()


def home_of(model: Path) -> Path:
    """The folder of the run that a model is of: itself, or the one that the bundle or file lies in."""
    return model.parent if model.exists() and not (model / "data.json").is_file() else model
