"""`--set key=value`: one setting of a recipe, wherever in it, by its dotted name."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any, cast, get_args

from ..errors import SettingError
from .ingredients import Optimizer, Schedule
from .recipe import Phase, Recipe

KINDS = {"optimizer": get_args(Optimizer), "schedule": get_args(Schedule)}


def override(recipe: Recipe, settings: Sequence[str] | None) -> Recipe:
    """The recipe with each "key=value" done in turn: "optimizer.lr=0.01", "phases.2.image=192".

    "phases.dropout=0.2" is for all rows. Values are JSON, or else text: `pack=null`, `phases.0.sizes=[160,192]`,
    `arch=resnet50`. Another `optimizer.kind` or `schedule.kind` begins with its own defaults.
    Raises: SettingError that says what was given, and the nearest name there is.
    """
    return settled(recipe.to_json(), settings) if settings else recipe


def settled(value: dict[str, Any], settings: Sequence[str] | None) -> Recipe:
    """The recipe of a plain value, with each "key=value" done in turn. Raises: SettingError, as `override`."""
    for setting in settings or ():
        key, equals, text = setting.partition("=")
        if not equals or not key:
            raise SettingError(f"--set {setting}: give key=value, such as --set optimizer.lr=0.01.")
        if key == "preprocess.image":
            raise SettingError(f"--set {setting}: the side in validation and use is another setting: eval_image={text}")
        put(value, key.split("."), parsed(text), setting)
    try:
        return Recipe.from_json(value)
    except SettingError as error:
        raise SettingError(f"--set {' '.join(settings)}: {error}" if settings else str(error)) from None


def without_rows(settings: Sequence[str] | None) -> list[str]:
    """Those that hold whatever the number of rows: it may depend on photos that have not been counted yet."""
    return [setting for setting in settings or () if not re.match(r"phases\.\d", setting)]


def parsed(text: str) -> Any:
    """JSON, or else the text as it stands."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def put(value: dict[str, Any], path: Sequence[str], new: Any, setting: str) -> None:
    """Put `new` at the path into a recipe's plain value."""
    place: Any = value
    for depth, part in enumerate(path):
        if isinstance(place, list):
            rows = cast("list[Any]", place)
            if not part.isdigit():  # a setting of every row
                for row in range(len(rows)):
                    put(value, [*path[:depth], str(row), *path[depth:]], new, setting)
                return
            if int(part) >= len(rows):
                raise SettingError(
                    f"--set {setting}: {'.'.join(path[:depth])} has rows 0 to {len(rows) - 1}, no {part}."
                )
            key: Any = int(part)
        else:
            open_ended = path[0] == "preprocess" and depth == 1  # Preprocess knows its own settings
            if not isinstance(place, dict) or (part not in place and not open_ended):
                raise SettingError(
                    f"--set {setting}: there is no setting {'.'.join(path[: depth + 1])!r}.{nearest(path)}"
                )
            key = part
        if depth == len(path) - 1:
            if part == "kind" and path[0] in KINDS and place[key] != new:
                # What the other kind was set to means nothing to this one.
                value[path[0]] = next(
                    (dataclasses.asdict(k()) for k in KINDS[path[0]] if k().kind == new), {"kind": new}
                )
                return
            place[key] = new
            return
        if place[key] is None and path[0] == "preprocess":
            place[key] = {}
        place = place[key]


def nearest(path: Sequence[str]) -> str:
    """Did you mean ...? with the dotted name, for a name that is wrong or stands elsewhere."""
    known = list(names())
    given = ".".join(part for part in path if not part.isdigit())
    if given in known:
        return f" Another kind has it: set {path[0]}.kind first."
    near = get_close_matches(given, known, n=1, cutoff=0.75)
    # The last part alone: `lr` for `optimizer.lr`.
    last = {name.rpartition(".")[2]: name for name in reversed(known)}
    near = near or [last[name] for name in get_close_matches(path[-1], last, n=1, cutoff=0.75)]
    return f" Did you mean {near[0]!r}?" if near else " `linnet train` writes all of them into a run's recipe.json."


def names() -> Iterator[str]:
    """The dotted names of all settings."""
    for f in dataclasses.fields(cast(Any, Recipe)):
        yield f.name
    yield from (f"phases.{f.name}" for f in dataclasses.fields(cast(Any, Phase)))
    for part, kinds in KINDS.items():
        yield from dict.fromkeys(f"{part}.{f.name}" for kind in kinds for f in dataclasses.fields(kind))
