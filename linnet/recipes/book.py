"""All recipes by name, and the verb that lists them."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from importlib import import_module
from typing import Any

from ..errors import SettingError, did_you_mean
from ..training.recipe import Recipe
from .published import Published

FILES = (
    "fine_tune", "int8_fine_tune", "modern", "cifar10",
    "mobilenet_v1", "mobilenet_v2", "mobilenet_v3", "mnasnet", "efficientnet", "efficientnet_lite", "efficientnetv2",
    "mobilevit", "convnext", "vit", "deit", "swin", "resnet",
)  # fmt: skip


@cache
def book() -> dict[str, Published]:
    """Every published recipe by its name, in the order of FILES."""
    found: dict[str, Published] = {}
    for file in FILES:
        found |= import_module(f"{__package__}.{file}").recipes
    return found


def named(name: str) -> Recipe:
    """Raises: SettingError for a name that no recipe has."""
    if name not in book():
        raise SettingError(
            f"No recipe is called {name!r}.{did_you_mean(name, book())} `linnet recipes` lists them; a file's name ends in"
            " .json."
        )
    return book()[name].recipe


@dataclass(frozen=True)
class Entry:
    """A line of the list. `image` is the sides in training, then the one in evaluation."""

    name: str
    network: str
    epochs: int
    image: str
    batch: str
    needs: str
    top1: float | None  # per cent, as published
    source: str


@dataclass(frozen=True)
class Entries:
    """Recipes with what they need and what their sources promise."""

    entries: tuple[Entry, ...]

    def to_json(self) -> list[dict[str, Any]]:
        from dataclasses import asdict

        return [asdict(entry) for entry in self.entries]

    def __str__(self) -> str:
        rows = [("recipe", "network", "epochs", "pixels", "batch", "published", "needs", "source")]
        for e in self.entries:
            top1 = "-" if e.top1 is None else f"{e.top1:g} %"
            rows.append((e.name, e.network, str(e.epochs), e.image, e.batch, top1, e.needs, e.source))
        wide = [max(len(row[i]) for row in rows) for i in range(len(rows[0]) - 1)]
        lines = ["  ".join([*(f"{cell:{w}}" for cell, w in zip(row, wide, strict=False)), row[-1]]) for row in rows]
        return "\n".join([*lines, "", "Published accuracies are their sources', on ImageNet's validation photos; none was reproduced here."])  # fmt: skip


def list_recipes(pattern: str = "*") -> Entries:
    """List recipes of published results: network, length, sizes, what they need and what they promise.

    `linnet train PHOTOS --recipe NAME` trains by one. A batch that is too large for the machine is cut into parts by itself
    (`micro_batch`). The file of each in linnet/recipes/ says where it differs from its source.

    Args:
        pattern: Show only names that match, such as "efficientnet*" or "*_cvnets".
    """
    chosen = {name: p for name, p in book().items() if fnmatch(name, pattern) or fnmatch(name, f"*{pattern}*")}
    if not chosen:
        raise SettingError(
            f"No recipe matches {pattern!r}.{did_you_mean(pattern, book())} `linnet recipes` lists them all."
        )
    return Entries(tuple(entry(name, published) for name, published in chosen.items()))


def entry(name: str, published: Published) -> Entry:
    recipe = published.recipe
    sides = [side for phase in recipe.phases for side in (phase.sizes or (phase.image,))]
    low, high, eval_image = min(sides), max(sides), recipe.eval_image or recipe.phases[-1].image
    trained = f"{low}" if low == high else f"{low} to {high}"
    batches = sorted({phase.batch for phase in recipe.phases})
    return Entry(
        name=name,
        network=recipe.arch if isinstance(recipe.arch, str) else recipe.arch["name"],
        epochs=recipe.epochs,
        image=trained if high == eval_image else f"{trained}, {eval_image}",
        batch=" to ".join(str(batch) for batch in (batches if len(batches) < 3 else (batches[0], batches[-1]))),
        needs=published.needs,
        top1=published.top1,
        source=published.source,
    )
