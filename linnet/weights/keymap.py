"""The same weights under Linnet's names and under another library's: two functions that use the tables in keymaps/.

The tables are held against the libraries themselves, in tests/weights/keymaps.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from ..arch.spec import Arch, Classifier, Layer
from ..errors import SettingError, WeightsError, did_you_mean
from ..nn.build import build
from .keymaps import (
    convnext,
    densenet,
    efficientvit,
    ghostnet,
    inception,
    lcnet,
    mobile,
    mobilenetv4,
    mobileone,
    mobilevit,
    nasnet,
    repvit,
    resnet,
    shufflenet,
    squeezenet,
    swin,
    vgg,
    vit,
    xception,
)
from .keymaps.table import Keys, Numbers, Place, Table, pattern, places

FAMILIES: tuple[Keys, ...] = (
    *convnext.KEYS,
    *densenet.KEYS,
    *efficientvit.KEYS,
    *ghostnet.KEYS,
    *inception.KEYS,
    *lcnet.KEYS,
    *mobilenetv4.KEYS,
    *mobileone.KEYS,
    *mobilevit.KEYS,
    *nasnet.KEYS,
    *repvit.KEYS,
    *resnet.KEYS,
    *shufflenet.KEYS,
    *squeezenet.KEYS,
    *swin.KEYS,
    *vgg.KEYS,
    *vit.KEYS,
    *xception.KEYS,
    *mobile.KEYS,  # the last, since others hold its operators too
)
DIALECTS = tuple(dict.fromkeys(dialect for keys in FAMILIES for dialect in keys.tables))


class Pair(NamedTuple):
    """One tensor of theirs, and which of ours it is.

    Mostly one; several of ours may stand in it one after another (None: zeros there), or none (`made` by the layer).
    """

    ours: tuple[str | None, ...]
    theirs: str
    shape: torch.Size  # of each of ours
    their_shape: torch.Size
    layer: Layer | None = None  # that makes what only the other library keeps
    part: str = ""


def to_linnet(
    state: Mapping[str, Tensor], arch: Arch, dialect: str | None = None, in_chans: int = 3
) -> dict[str, Tensor]:
    """`state` under Linnet's names, ready for `build(arch, in_chans=in_chans)`; values are not copied.

    `dialect` is "timm", "torchvision", another of DIALECTS or "linnet" (then names and shapes are only checked);
    without it the one that fits best is taken. Counters of batches, which old files lack, become 0.
    Raises: WeightsError that names the first tensors which do not fit.
    """
    keys = keys_of(arch)
    for old, new in (keys.renamed if keys else {}).items():
        state = {re.sub(old, new, name): tensor for name, tensor in state.items()}
    dialect = dialect or dialect_of(state, arch)
    wanted = pairs(arch, dialect, in_chans)
    optional = {p.theirs for p in wanted if p.layer or p.theirs.endswith("num_batches_tracked")}
    names = {pair.theirs for pair in wanted}
    missing = [pair.theirs for pair in wanted if pair.theirs not in state and pair.theirs not in optional]
    left = sorted(state.keys() - names)
    if keys and keys.dropped:
        left = [name for name in left if not re.fullmatch(keys.dropped, name)]
    shapes = [
        f"{p.theirs} {tuple(state[p.theirs].shape)} where {tuple(p.their_shape)} is needed"
        for p in wanted
        if p.theirs in state and state[p.theirs].shape != p.their_shape
    ]
    for problem, odd in (("missing", missing), ("not known", left), ("of another shape", shapes)):
        if odd:
            more = f" and {len(odd) - 3} more" if len(odd) > 3 else ""
            raise WeightsError(
                f"These weights, read as {dialect}'s, are not those of {arch.name}: {problem} {', '.join(odd[:3])}{more}."
                " Give the weights of this network, or the name of the network that they belong to."
            )
    found: dict[str, Tensor] = {}
    for p in wanted:
        if p.layer:
            continue
        value = state[p.theirs] if p.theirs in state else torch.zeros(p.their_shape, dtype=torch.long)
        parts = value.chunk(len(p.ours)) if len(p.ours) > 1 else [value]
        found |= {name: part.reshape(p.shape) for name, part in zip(p.ours, parts, strict=True) if name}
    return found


def from_linnet(state: Mapping[str, Tensor], arch: Arch, dialect: str, in_chans: int = 3) -> dict[str, Tensor]:
    """The weights of `build(arch, in_chans=in_chans)` under the names of "timm", "torchvision" or another of DIALECTS.

    Raises: WeightsError that names the first tensors which do not fit.
    """
    wanted = pairs(arch, dialect, in_chans)
    ours = {name: p.shape for p in wanted for name in p.ours if name}
    odd = sorted(state.keys() ^ ours.keys()) + [n for n in ours if n in state and state[n].shape != ours[n]]
    if odd:
        raise WeightsError(
            f"These are not the weights of {arch.name}: {', '.join(odd[:3])} does not fit. Give its own state dict."
        )
    return {p.theirs: _theirs(p, state, arch) for p in wanted}


def _theirs(pair: Pair, state: Mapping[str, Tensor], arch: Arch) -> Tensor:
    if pair.layer and (keys := keys_of(arch)):
        return keys.made[pair.part](pair.layer)
    if len(pair.ours) == 1 and pair.ours[0]:
        return state[pair.ours[0]].reshape(pair.their_shape)
    like = next(state[name] for name in pair.ours if name)
    return torch.cat([state[name] if name else torch.zeros_like(like) for name in pair.ours]).reshape(pair.their_shape)


@lru_cache(maxsize=64)
def pairs(arch: Arch, dialect: str, in_chans: int = 3) -> tuple[Pair, ...]:
    """Every tensor of `arch` with its name in `dialect`; in "linnet" its own.

    Raises: SettingError when the dialect is not known or has no such network.
    """
    if dialect == "linnet":
        with torch.device("meta"):
            own = build(arch, in_chans=in_chans).state_dict()
        return tuple(Pair((name,), name, tensor.shape, tensor.shape) for name, tensor in own.items())
    if dialect not in DIALECTS:
        raise SettingError(
            f"There is no dialect {dialect!r}; choose one of {', '.join(DIALECTS)}.{did_you_mean(dialect, DIALECTS)}"
        )
    keys = keys_of(arch)
    table = keys.tables.get(dialect) if keys else None
    if keys is None or table is None:
        raise SettingError(
            f"{dialect} has no network like {arch.name}; {' and '.join(spoken(arch)) or 'no other library'} has."
        )
    shapes = {pair.theirs: pair.shape for pair in pairs(arch, "linnet", in_chans)}
    blocks, whole = places(arch, keys)
    found: list[Pair] = []
    joined: set[str] = set()
    for name in shapes:
        block = ".".join(name.split(".")[:3])
        place = blocks.get(block)
        if name in joined:
            continue
        join = _join(name, block, place, table)
        if join:
            joined.update(part for part in join.ours if part)
            shape = shapes[name]
            found.append(join._replace(shape=shape, their_shape=torch.Size((shape[0] * len(join.ours), *shape[1:]))))
        else:
            found.append(_pair(name, shapes[name], block, place, whole, table, arch, dialect))
    for place in blocks.values():
        for part, make in keys.made.items():
            if theirs := table.get(f"{place.kind} +{part}"):
                made = make(place.layer)
                found.append(Pair((), theirs[0].format_map(place.numbers), made.shape, made.shape, place.layer, part))
    return tuple(found)


def dialect_of(state: Mapping[str, Tensor], arch: Arch) -> str:
    """Whose names for `arch` most names of `state` are: "linnet" or one of DIALECTS."""
    return max(("linnet", *spoken(arch)), key=lambda dialect: _shared(state, arch, dialect))


def classes_in(state: Mapping[str, Tensor], arch: Arch, dialect: str) -> int | None:
    """How many classes the weights `state` of a network like `arch` tell apart; None: it has no classifier."""
    wanted = (f"{classifier(arch)}.weight",)
    return next((len(state[p.theirs]) for p in pairs(arch, dialect) if p.ours == wanted and p.theirs in state), None)


def classifier(arch: Arch) -> str:
    """The state dict's name of the (first) classifier."""
    at = next((i for i, op in enumerate(arch.head) if isinstance(op, Classifier)), -1)
    several = getattr(arch.head[at], "heads", 1) > 1
    return arch.row_names[len(arch.stem) + len(arch.stages) + at] + (".0" if several else "")


def keys_of(arch: Arch) -> Keys | None:
    """The tables that hold for `arch`: its operators say it."""
    return next((keys for keys in FAMILIES if keys.fits(arch)), None)


def spoken(arch: Arch) -> list[str]:
    """The libraries that have such a network."""
    keys = keys_of(arch)
    return list(keys.tables) if keys else []


def _shared(state: Mapping[str, Tensor], arch: Arch, dialect: str) -> int:
    """How many names of `state` are names of `arch` in that dialect."""
    try:
        return len(state.keys() & {pair.theirs for pair in pairs(arch, dialect)})
    except SettingError:
        return -1  # a library without this member of the family, as torchvision is without MnasNet-A1


def _pair(name: str, shape: torch.Size, block: str, place: Place | None, whole: Numbers, table: Table, arch: Arch,
          dialect: str) -> Pair:  # fmt: skip
    part, _, leaf = name.rpartition(".")
    normed = part.endswith(".norm")
    for tail, place_in_line, ending in ((name, 0, ""), (part, 0, f".{leaf}"), (part.removesuffix(".norm"), int(normed), f".{leaf}")):  # fmt: skip
        line, numbers = _line(tail, block, place, whole, table)
        if len(line) > place_in_line:
            theirs, _, form = line[place_in_line].partition(" (")
            return Pair((name,), theirs.format_map(numbers) + ending, shape, _formed(shape, form, leaf))
    raise SettingError(f"{dialect} has no {name} in networks like {arch.name}: its names cannot be mapped.")


def _formed(shape: torch.Size, form: str, leaf: str) -> torch.Size:
    """Their shape, by the word behind their name."""
    match form.rstrip(")"):
        case "1x1" if leaf == "weight":
            return torch.Size((*shape, 1, 1))
        case "7x7" if leaf == "weight":
            return torch.Size((shape[0], shape[1] // 49, 7, 7))
        case "linear" if leaf == "weight":
            return shape[:2]
        case "C11":
            return torch.Size((*shape, 1, 1))
        case "C":
            return shape[:1]
    return shape


def _line(tail: str, block: str, place: Place | None, whole: Numbers, table: Table) -> tuple[tuple[str, ...], Numbers]:
    """The line for our part, and the numbers to fill it with: by its full name, else by its layer's kind."""
    wanted = f"{place.kind} {tail.removeprefix(block + '.')}" if place else ""
    numbers = place.numbers if place else whole
    for key in (tail, wanted):
        if key in table:
            return table[key], numbers
    for key, line in table.items():
        if "{" in key and (match := pattern(key).fullmatch(tail) or pattern(key).fullmatch(wanted)):
            return line, Numbers(numbers | {name: int(n) for name, n in match.groupdict().items()})
    return (), numbers


def _join(name: str, block: str, place: Place | None, table: Table) -> Pair | None:
    """The line whose left side has `name` among several of ours."""
    if place is None:
        return None
    for key, line in table.items():
        kind, _, parts = key.partition(" ")
        if " + " not in parts or kind != place.kind:
            continue
        match = next(
            (m for p in parts.split(" + ") if (m := pattern(p).fullmatch(name.removeprefix(block + ".")))), None
        )
        if match:
            inner = {n: int(v) for n, v in match.groupdict().items()}
            ours = tuple(None if p == "0" else f"{block}.{p.format_map(inner)}" for p in parts.split(" + "))
            return Pair(ours, line[0].format_map(Numbers(place.numbers | inner)), torch.Size(), torch.Size())
    return None
