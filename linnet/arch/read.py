"""From JSON to a table: every type, range and word checked, every unknown name answered with the nearest known one."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from importlib import import_module
from typing import Any, Literal, Union, cast, get_args, get_origin, get_type_hints

from ..errors import SettingError, did_you_mean
from .operator import Operator

# The least value of the numbers that tables are made of; an operator of a user's own may bring others.
LEAST: dict[str, int] = {
    **dict.fromkeys(("image", "layers", "stride", "k", "groups", "heads", "tokens", "divisor", "exp", "width"), 1),
    **dict.fromkeys(("squeeze", "window", "d", "depth", "patch", "key", "kv_stride"), 1),
    **dict.fromkeys(("channels", "c", "pad", "se", "classes", "momentum", "guard", "start", "mid", "before"), 0),
}
ABOVE0 = ("t", "eps", "mlp")
# Each layer is built: a slip of the keyboard must not fill the memory.
MOST: dict[str, int] = {"layers": 10_000, "": 1_000_000}
SAID = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", type(None): "null"}


def read(hint: Any, value: Any, where: str = "") -> Any:
    """What JSON's `value` describes, as a value of type `hint`; `where` is its place, such as "stages.2.op.k".

    Raises SettingError that says the place, what is there and what is allowed.
    """
    members, kind = get_args(hint), get_origin(hint)
    if hint is Operator:
        return _operator(value, where)
    if is_dataclass(hint):
        return _record(cast(type, hint), value, where)
    if kind in (types.UnionType, Union):
        return _one_of(members, value, where)
    if kind is Literal:
        if any(type(value) is type(word) and value == word for word in members):
            return value
        raise _refusal(where, value, " or ".join(map(repr, members)), did_you_mean(str(value), map(str, members)))
    if kind is tuple:
        return _several(members, value, where)
    if hint in SAID:
        return _plain(hint, value, where)
    return _frozen(value)  # a type that only a user's own operator can judge


def _operator(value: Any, where: str) -> Operator:
    arguments = dict(cast("Mapping[str, Any]", value)) if isinstance(value, Mapping) else {}
    name = arguments.pop("op", None)
    if not isinstance(name, str):
        raise _refusal(where, value, 'an object that names its operator, such as {"op": "Conv", "k": 3}')
    if name not in Operator.known:
        import_module("linnet.arch.names")  # the families' operators, where nothing has asked for them yet
    if name not in Operator.known:
        raise SettingError(
            f"The operator {name!r} is not known here.{did_you_mean(name, Operator.known)}"
            " If it is from a package of your own, import that package first."
        )
    return _record(Operator.known[name], arguments, where)


def _record(cls: type, value: Any, where: str) -> Any:
    """A dataclass from an object with its fields."""
    if not isinstance(value, Mapping):
        raise _refusal(where, value, "an object with settings")
    given = cast("Mapping[str, Any]", value)
    own = {f.name: f for f in fields(cls) if f.init}
    for name in given:
        if name not in own:
            raise _wrong(f"{_at(where, str(name))} is not known.{did_you_mean(str(name), own)}")
    for name, f in own.items():
        if name not in given and f.default is MISSING and f.default_factory is MISSING:
            raise _wrong(f"{_at(where, name)} is missing")
    hints = _hints(cls)
    arguments = {name: read(hints.get(name, Any), v, _at(where, name)) for name, v in given.items()}
    try:
        return cls(**arguments)
    except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:  # a user's own check
        raise _wrong(f"{where or cls.__name__}: {error}") from error


def _one_of(members: Sequence[Any], value: Any, where: str) -> Any:
    """Of a union: a list is for its tuple; of the other members the first that takes the value."""
    fitting = [m for m in members if (get_origin(m) is tuple) == isinstance(value, list | tuple)] or list(members)
    refusals: list[SettingError] = []
    for member in fitting:
        try:
            return read(member, value, where)
        except SettingError as refused:
            refusals.append(refused)
    raise refusals[0]


def _several(members: Sequence[Any], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise _refusal(where, value, "a list")
    values = cast("Sequence[Any]", value)
    if not members:
        return _frozen(values)
    if members[-1] is ...:
        members = [members[0]] * len(values)
    if len(members) != len(values):
        raise _refusal(where, value, f"a list of {len(members)}")
    return tuple(read(m, v, _at(where, str(i))) for i, (m, v) in enumerate(zip(members, values, strict=True)))


def _plain(hint: type, value: Any, where: str) -> Any:
    """A scalar of just this type (a whole number is a number, true is not), within its range."""
    if hint not in (int, float):
        if type(value) is hint:
            return value
        raise _refusal(where, value, SAID[hint])
    name = next((part for part in reversed(where.split(".")) if not part.isdigit()), "")
    least, most = LEAST.get(name, 0 if name in ABOVE0 else -MOST[""]), MOST.get(name, MOST[""])
    right = type(value) is int or (hint is float and type(value) is float)
    if right and least <= value <= most and (value > 0 or name not in ABOVE0):  # not a number compares as false
        return value
    span = f"above 0, at most {most:,}" if name in ABOVE0 else f"from {least:,} to {most:,}"
    raise _refusal(where, value, f"{SAID[hint]} {span}")


def _frozen(value: Any) -> Any:
    """JSON's lists are tuples here, at every depth."""
    return tuple(_frozen(v) for v in cast("list[Any]", value)) if isinstance(value, list | tuple) else value


@cache
def _hints(cls: type) -> dict[str, Any]:
    try:
        return get_type_hints(cls)
    except (NameError, TypeError):  # a user's own operator, whose words are not there to be asked
        return {}


def _at(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _refusal(where: str, value: Any, allowed: str, near: str = "") -> SettingError:
    text = repr(value)
    text = text if len(text) <= 60 else text[:57] + "..."
    return _wrong(f"{where or 'it'} is {text}; allowed: {allowed}.{near}")


def _wrong(text: str) -> SettingError:
    return SettingError(f"This is not the description of a network: {text.rstrip('.')}.")
