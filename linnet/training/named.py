"""A recipe by the name under which it is published, or from a file."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from ..errors import SettingError
from .recipe import Recipe


def read_recipe(place: str | Path) -> Recipe:
    """The recipe of this name (`linnet recipes` lists them), or in this JSON file.

    Raises: SettingError for a name that is not known, a file that is missing or not a recipe.
    """
    text = str(place)
    if isinstance(place, Path) or text.endswith(".json") or any(mark in text for mark in "/\\") or Path(text).is_file():
        if Path(place).is_dir():
            raise SettingError(f"{place}: a folder. Give its recipe.json, or the name of a recipe (`linnet recipes`).")
        return Recipe.load(place)
    # By its name in text: recipes are made of what training defines, which must not know them.
    return import_module("linnet.recipes.book").named(text)
