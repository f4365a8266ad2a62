"""The page of a preview: what the network will see in each phase, beside the photos it comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .folder import RunFolder
from .history import training
from .page import render_page
from .section import Values, build
from .text import number, percent, plain, shortened
from .thumbnail import data_uri, thumbnail

if TYPE_CHECKING:
    import numpy as np

SAID = 0.02  # share of a target from which its class is named


@dataclass(frozen=True, eq=False)
class Shown:
    """One phase: a sentence about it, pictures uint8 [k, S, S, 3], their files, targets [k, classes], and how many
    photos of the batch could not be read."""

    title: str
    batch: int
    pictures: np.ndarray
    paths: Sequence[Path]
    targets: np.ndarray
    bad: int


def render_preview(
    recipe: Mapping[str, Any], shown: Sequence[Shown], *, classes: Sequence[str], root: Path, photos: int
) -> str:
    """HTML; `recipe` is its JSON, `photos` the number of those to train on."""
    about = build(training, RunFolder(root, recipe=recipe))
    area = recipe.get("crop_area") or (1, 1)
    return render_page(
        "preview",
        photos=number(photos),
        about=about,
        everywhere=[
            ("crops", f"{percent(area[0], 0)} to {percent(area[1], 0)} of the photo"),
            ("mirrored", percent(recipe.get("flip"), 0)),
            ("policy", shortened(recipe.get("policy") or "none", 40)),
            ("colour jitter", shortened(recipe.get("color_jitter") or "off", 40)),
            ("cutout", plain(recipe.get("cutout")) if recipe.get("cutout") else "off"),
        ],
        packed=number(recipe.get("pack")) if recipe.get("pack") else "",
        phases=[phase(one, classes, root, recipe.get("label_smoothing") or 0.0) for one in shown],
    )


def phase(one: Shown, classes: Sequence[str], root: Path, smoothing: float) -> Values:
    from PIL import Image

    cards = []
    for pixels, path, target in zip(one.pictures, one.paths, one.targets, strict=True):
        uri, why_not = thumbnail(path)
        cards.append(
            {
                "seen": data_uri(Image.fromarray(pixels), quality=88),
                "uri": uri,
                "why_not": why_not,
                "target": target_text(target, classes, smoothing),
                "path": shortened(path.relative_to(root) if path.is_relative_to(root) else path.name, 40),
            }
        )
    side = one.pictures.shape[1] if len(one.pictures) else 0
    return {"title": one.title, "side": number(side), "batch": number(one.batch), "bad": one.bad, "cards": cards}


def target_text(target: np.ndarray, classes: Sequence[str], smoothing: float = 0.0) -> str:
    """What is to be learnt, the largest share first; what label smoothing gives to every class is left out.

    Of photos with several labels each share stands for itself, and smoothing draws it towards a half.
    """
    one_label = abs(float(target.sum()) - 1) < 1e-3
    least = SAID + (smoothing / len(classes) if one_label else smoothing / 2)
    named = [(float(share), name) for share, name in zip(target, classes, strict=True) if share > least]
    named.sort(key=lambda one: (-one[0], one[1]))
    return ", ".join(f"{shortened(name, 30)} {percent(share, 0)}" for share, name in named[:4]) or "no label"
