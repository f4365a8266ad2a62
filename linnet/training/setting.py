"""Settings that explain themselves: strict scalar types, and refusals that name the nearest allowed name."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Annotated, Any, TypeVar, cast, dataclass_transform

from pydantic import BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic.dataclasses import dataclass

from ..errors import SettingError, did_you_mean

# Scalars are strict: "3", 3.0 and True are not the number 3. Lists and dictionaries (from JSON) are taken as they are.
Count = Annotated[int, Field(strict=True, ge=1)]
Whole = Annotated[int, Field(strict=True, ge=0)]
Image = Annotated[int, Field(strict=True, ge=16, le=4096)]
Above0 = Annotated[float, Field(strict=True, gt=0)]
From0 = Annotated[float, Field(strict=True, ge=0)]
Share = Annotated[float, Field(strict=True, ge=0, lt=1)]
UpTo1 = Annotated[float, Field(strict=True, ge=0, le=1)]
Text = Annotated[str, Field(strict=True, min_length=1)]
Switch = Annotated[bool, Field(strict=True)]
Limit = Annotated[  # JSON has no infinity, so it is written as "inf"
    float,
    Field(strict=True, gt=0, allow_inf_nan=True),
    BeforeValidator(lambda given: math.inf if given == "inf" else given),
]

T = TypeVar("T")


class Checked:
    """A value whose wrong settings raise SettingError: what was given, what is allowed, the nearest name."""

    @model_validator(mode="wrap")
    @classmethod
    def _explain(cls, given: Any, build: Callable[[Any], Any]) -> Any:
        try:
            return build(given)
        except ValidationError as error:
            raise SettingError(explain(cls, error.errors(include_url=False))) from None


@dataclass_transform(frozen_default=True, kw_only_default=True)
def setting(cls: type[T]) -> type[T]:
    """A frozen dataclass of pydantic's that takes its settings by name, forbids unknown ones and what is not finite."""
    config = ConfigDict(extra="forbid", allow_inf_nan=False)
    return cast("type[T]", dataclass(frozen=True, kw_only=True, config=config)(cls))


def explain(cls: type, errors: Sequence[Any]) -> str:
    """One line for pydantic's first error: where, what was given, what is allowed, the nearest name."""
    error = errors[0]
    kind, given, context = error["type"], error["input"], error.get("ctx") or {}
    where = ".".join(str(part) for part in error["loc"] if _is_place(part))
    own, name = [f.name for f in dataclasses.fields(cls)], cls.__name__.lower()
    match kind:
        case "unexpected_keyword_argument":
            return (
                f"{name}: there is no setting {where!r}.{_nearest(where, own) or ' Allowed: ' + ', '.join(own) + '.'}"
            )
        case "unexpected_positional_argument":
            return f"{name}: give each setting by its name, such as {own[0]}=..."
        case "union_tag_invalid":
            given, allowed = context["tag"], _words(context["expected_tags"])
            near = did_you_mean(given, allowed)
            return f"{name}: {where}.kind is {given!r}; allowed: {', '.join(map(repr, allowed))}.{near}"
        case "union_tag_not_found":
            return f'{name}: {where} does not say its kind. Add "kind", such as "sgd" or "cosine".'
        case "literal_error":
            allowed = _words(context["expected"].replace(" or ", ", "))
            rules = [*map(repr, allowed), *(_rule(e) for e in errors[1:] if _is_place(e["loc"][0]))]
            return (
                f"{name}: {where} is {shown(given)}; allowed: {', or '.join(rules)}.{did_you_mean(str(given), allowed)}"
            )
        case _:
            return f"{name}: {where or 'it'} is {shown(given)}; allowed: {_rule(error)}."


def shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _nearest(given: str, own: Sequence[str]) -> str:
    """The nearest name of this value; or of another one, since `epochs` is a phase's and `lr` an optimiser's."""
    others = {f.name: c.__name__.lower() for c in Checked.__subclasses__() for f in dataclasses.fields(cast(Any, c))}
    near = get_close_matches(given, {*own, *others}, n=1)
    if near and near[0] not in own:
        return f" Did you mean {near[0]!r}, a setting of {others[near[0]]}?"
    return did_you_mean(given, own)


# pydantic's words, and those of a person who writes a recipe.
PLAIN = {
    "Input should be ": "",
    "a valid dictionary or object to extract fields from": 'settings with their "kind"',
    "a valid tuple": "a list",
    "Tuple should have": "a list of",
    " after validation, not 0": "",
    "String should have": "a text of",
    "Field required": "as many numbers as the default has",
}


def _rule(error: Any) -> str:
    message = error["msg"]
    for theirs, ours in PLAIN.items():
        message = message.replace(theirs, ours)
    return message


def _words(quoted: str) -> list[str]:
    return [word.strip("' ") for word in quoted.split(",")]


def _is_place(part: object) -> bool:
    """pydantic's location also names the members of a union: "literal['auto']", "constrained-int", "str"."""
    return isinstance(part, int) or (str(part).isidentifier() and part not in ("str", "int", "float"))
