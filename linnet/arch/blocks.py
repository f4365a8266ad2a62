"""The block strings of TensorFlow's EfficientNet and of timm, read into rows of a table and written from them.

TensorFlow   r2_k3_s22_e6_i16_o24_se0.25          tensorflow/tpu efficientnet_builder.py, BlockDecoder;
             r4_k3_s2_e4_i24_o48_c1               google/automl effnetv2_configs.py (c1: fused)
timm         ir_r2_k3_s2_e6_c24_se0.25            timm models/_efficientnet_builder.py, decode_arch_def
             ds (no expansion), dsa (SepConv), er (fused), cn (fused, without expansion)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, Literal, get_args

from ..errors import SettingError, did_you_mean
from .efficientnet import FusedMBConv
from .mobilenet import Bneck, MBConv, SepConv
from .read import read
from .scale import round_channels
from .spec import Arch, Classifier, Conv, Dropout, Layer, Pool, Stage, Style

Blocks = Literal["timm", "tensorflow"]
PART = re.compile(r"([a-z]+)(\d{1,7}(?:\.\d+)?)")
TIMM = ("ir", "ds", "dsa", "er", "cn")
FLAGS = ("skip", "noskip", "nre", "nhs")  # whether the input is added; the activation of MobileNetV3's blocks


def read_blocks(lines: Iterable[str], *, stem: int = 32) -> tuple[Stage, ...]:
    """Rows from block strings of either kind; `stem` is the number of channels before the first.

    A string whose layers differ (MobileNetV3's, where each expands its own input) becomes two rows.
    Raises: SettingError that says which part of which string is not understood, or has no operator here.

    >>> read_blocks(["r2_k3_s22_e6_i16_o24_se0.25"]) == read_blocks(["ir_r2_k3_s2_e6_c24_se0.25"])
    True
    """
    rows, cin = list[Stage](), stem
    for line in lines:
        rows += _rows(line.strip(), cin)
        cin = rows[-1].channels
    return tuple(rows)


def from_blocks(
    name: str, lines: Iterable[str], *, stem: int = 32, head: int = 1280, image: int = 224, act: str = "silu"
) -> Arch:
    """A network of EfficientNet's form from block strings: 3 x 3 stem, the blocks, 1 x 1 convolution, classifier."""
    return Arch(
        name, image,
        stem=(Stage(Conv(k=3), stem, 1, 2),), stages=read_blocks(lines, stem=stem),
        head=(Conv(head, k=1), Pool(), Dropout(), Classifier()),
        style=read(Style, {"act": act}, "style"),
    )  # fmt: skip


def write_blocks(arch: Arch, kind: Blocks = "timm") -> tuple[str, ...]:
    """The stages of `arch` as block strings: one a row, or two for a row of Bneck that changes the channels.

    Raises: SettingError for an operator that the strings have no word for.

    >>> from linnet.arch.names import find
    >>> write_blocks(find("efficientnet_b0"))[1]
    'ir_r2_k3_s2_e6_c24_se0.25'
    """
    if kind not in get_args(Blocks):
        raise SettingError(f"There are no block strings of {kind!r}; choose timm or tensorflow.")
    layers: list[list[Layer]] = [[] for _ in arch.rows]
    for row, layer in arch.layers():
        layers[row].append(layer)
    return tuple(
        _said(part, layer, kind)
        for stage, own in zip(arch.stages, layers[len(arch.stem) :], strict=False)  # the head's rows are left
        for part, layer in _parts(stage, own)
    )


def _parts(stage: Stage, layers: list[Layer]) -> Iterator[tuple[Stage, Layer]]:
    """The row, or its first layer and the others where a string's `e` would mean another width in each."""
    if isinstance(stage.op, Bneck) and stage.layers > 1 and layers[0].cin != layers[1].cin:
        yield replace(stage, layers=1), layers[0]
        yield replace(stage, layers=stage.layers - 1, stride=1), layers[1]
    else:
        yield stage, layers[0]


def _rows(line: str, cin: int) -> tuple[Stage, ...]:
    word, *parts = line.split("_")
    if word not in TIMM:  # TensorFlow's begin with a number of layers
        parts, word = [word, *parts], ""
    values: dict[str, float] = {"r": 1, "k": 3, "s": 1, "e": 1, "se": 0}
    known = set(values)
    flags: set[str] = set()
    for part in parts:
        match = PART.fullmatch(part)
        if part in FLAGS:
            flags.add(part)
        elif match:
            values[match[1]] = float(match[2]) if "." in match[2] else int(match[2])
        else:
            hint = " (the activation of the whole network is its style's)" if part.startswith("n") else ""
            raise _refusal(line, f"{part!r} is no part of a block string{hint}")
    channels = values.pop("c" if word else "o", 0)
    fused = values.pop("c", 0) if not word else 0
    values.pop("i", None)
    if strange := sorted(values.keys() - known):
        raise _refusal(line, f"{strange[0]!r} is not known{did_you_mean(strange[0], known)}")
    if not channels:
        raise _refusal(line, f"it does not say the number of channels ({'c' if word else 'o'}24)")
    if fused not in (0, 1):
        raise _refusal(line, f"c{fused:g} is no kind of block (c0 or nothing: MBConv, c1: fused)")
    stride = values["s"]
    if not word and stride in range(11, 100, 11):  # TensorFlow's s22 is 2 down and 2 across
        stride //= 11
    if stride not in range(1, 10):
        raise _refusal(line, "s is a stride from 1 to 9")
    op = _operator(line, word, bool(fused), values, flags, cin)
    # Reading it checks types and ranges.
    row: Stage = read(Stage, {"op": op, "channels": channels, "layers": values["r"], "stride": stride}, line)
    _check(line, word, row, flags, cin, values["e"])
    if isinstance(row.op, Bneck) and row.layers > 1:
        rest = replace(row.op, exp=_expanded(word, row.channels, values["e"]))
        if rest != row.op:
            return replace(row, layers=1), replace(row, op=rest, layers=row.layers - 1, stride=1)
    return (row,)


def _operator(line: str, word: str, fused: bool, values: dict[str, float], flags: set[str], cin: int) -> dict[str, Any]:
    k, t, se, named = values["k"], values["e"], values["se"], flags & {"nre", "nhs"}
    if len(named) > 1 or flags >= {"skip", "noskip"}:
        raise _refusal(line, "it says two things that exclude each other")
    if named and word not in ("ir", "ds"):
        raise _refusal(line, f"only ir and ds may bring an activation of their own, here {named.pop()}")
    if t <= 0 or (word in ("ds", "dsa", "cn") and t != 1):
        raise _refusal(line, "e is above 0, and 1 for ds, dsa and cn, which expand nothing")
    if se and (fused or word in ("dsa", "er", "cn")):
        raise _refusal(line, "no operator here has squeeze-and-excitation in this block")
    if named and se not in (0, 0.25):
        raise _refusal(line, "with nre or nhs the block is MobileNetV3's, whose squeeze-and-excitation is se0.25")
    if word == "dsa":
        return {"op": "SepConv", "k": k}
    if named:  # MobileNetV3: SE is a share of the expanded width there
        nl = "RE" if "nre" in named else "HS"
        return {"op": "Bneck", "exp": _expanded(word, cin, t), "k": k, "se": bool(se), "nl": nl}
    if word == "ds" and not se and "noskip" in flags:
        return {"op": "SepConv", "k": k, "linear": True}
    if fused or word in ("er", "cn"):  # an `er` projects even where it expands nothing
        return {"op": "FusedMBConv", "t": t, "k": k, "project": word == "er" and t == 1}
    return {"op": "MBConv", "t": t, "k": k, "se": se}


def _check(line: str, word: str, row: Stage, flags: set[str], cin: int, t: float) -> None:
    """Refuse what the strings say and our operators do otherwise."""
    if word != "dsa" and _adds(row, cin) and ("noskip" in flags or (word == "cn" and "skip" not in flags)):
        raise _refusal(line, "every operator here adds its input where the shape allows, as it does in this row")
    if word == "ir" and any(round_channels(c * t) == c for c in _inputs(row, cin)):
        raise _refusal(line, "timm's ir has a 1 x 1 convolution even where it widens nothing; ours (ds) have none")
    if word in ("ir", "er") and not isinstance(row.op, Bneck) and _rounded(row, cin, t):
        raise _refusal(line, f"timm rounds {t:g} times the input to a multiple of 8, our operator does not")


def _inputs(row: Stage, cin: int) -> tuple[int, ...]:
    """Channels before the first layer of a row and, where there are more, before the others."""
    return (cin, row.channels) if row.layers > 1 else (cin,)


def _adds(row: Stage, cin: int) -> bool:
    """Whether a layer of the row keeps its shape, so that the input may be added."""
    return row.layers > 1 or (row.stride == 1 and cin == row.channels)


def _rounded(row: Stage, cin: int, t: float) -> bool:
    return any(round(c * t) != round_channels(c * t) for c in _inputs(row, cin))


def _expanded(word: str, cin: int, t: float) -> int:
    return cin if word == "ds" else round_channels(cin * t)


def _said(stage: Stage, layer: Layer, kind: Blocks) -> str:
    op, n, c, s = stage.ops[0], stage.layers, stage.channels, stage.stride
    if len(stage.ops) > 1 or not isinstance(op, MBConv | FusedMBConv | SepConv | Bneck):
        raise SettingError(
            f"Block strings have no word for {layer.op}: they say MBConv, FusedMBConv, SepConv and Bneck."
        )
    if kind == "tensorflow":
        if isinstance(op, SepConv | Bneck) or (isinstance(op, FusedMBConv) and op.projects and op.t == 1):
            raise SettingError(f"TensorFlow's block strings have no word for {op}. Try timm's.")
        se = f"_se{op.se:g}" if isinstance(op, MBConv) and op.se else ""
        stride = f"{s}{s}" if isinstance(op, MBConv) else f"{s}"
        return f"r{n}_k{op.k}_s{stride}_e{op.t:g}_i{layer.cin}_o{c}{se}{'_c1' if isinstance(op, FusedMBConv) else ''}"
    match op:
        case SepConv(linear=True):
            return f"ds_r{n}_k{op.k}_s{s}_c{c}{'' if _adds(stage, layer.cin) else '_noskip'}"
        case SepConv():
            return f"dsa_r{n}_k{op.k}_s{s}_c{c}"
        case FusedMBConv(projects=False):
            return f"cn_r{n}_k{op.k}_s{s}_c{c}_skip"
        case Bneck():
            e = f"{op.exp / layer.cin:.6g}"
            if op.exp != layer.cin and round_channels(layer.cin * float(e)) != op.exp:
                raise SettingError(f"timm's block strings cannot say {op}: choose an exp that is a multiple of 8.")
            se, nl = "_se0.25" if op.se else "", "nre" if op.nl == "RE" else "nhs"
            return f"{'ds' if op.exp == layer.cin else 'ir'}_r{n}_k{op.k}_s{s}_e{e}_c{c}{se}_{nl}"
        case MBConv(t=1):
            return f"ds_r{n}_k{op.k}_s{s}_e1_c{c}{f'_se{op.se:g}' if op.se else ''}"
        case MBConv() | FusedMBConv():
            if _rounded(stage, layer.cin, op.t):
                raise SettingError(
                    f"timm's block strings cannot say {op} on {layer.cin} channels: timm rounds the expanded width to"
                    " a multiple of 8. Choose a t that gives one."
                )
            se = f"_se{op.se:g}" if isinstance(op, MBConv) and op.se else ""
            return f"{'ir' if isinstance(op, MBConv) else 'er'}_r{n}_k{op.k}_s{s}_e{op.t:g}_c{c}{se}"


def _refusal(line: str, what: str) -> SettingError:
    return SettingError(
        f"{line!r} is no block string: {what}. TensorFlow's look like r2_k3_s22_e6_i16_o24_se0.25, timm's like"
        " ir_r2_k3_s2_e6_c24_se0.25."
    )
