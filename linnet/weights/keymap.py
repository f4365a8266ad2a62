"""Names of the same weights in Linnet, timm, torchvision and efficientnet_pytorch: tables, and two functions that use them.

A table has one line per part of a network: our part on the left, the other library's convolution (or linear layer) and
its norm on the right. Every kind of block stands in it once; `{...}` is filled with the block's place. Nothing is ever
transposed; a 1 x 1 convolution that is a linear layer here only gains or loses its two last axes.

Sources: timm models/_efficientnet_builder.py and _efficientnetv2 names, torchvision models/{efficientnet, mobilenetv2,
mobilenetv3, mnasnet}.py, lukemelas/EfficientNet-PyTorch model.py. The tables of timm and torchvision are held against
those libraries in tests/weights/test_keymap.py; efficientnet_pytorch's against Lite0's file in test_pretrained.py, which
has no gates: those two of its lines are from the source alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from ..arch.efficientnet import FusedMBConv
from ..arch.mobilenet import Bneck, SepConv
from ..arch.spec import Arch
from ..errors import SettingError, WeightsError, did_you_mean
from ..nn.build import build

# Places: {s} stage and {b} block in it, as the other library groups them; {f} block counted through; {stages} and
# {blocks} how many there are. A digit behind the name is added to it: {s7} is the stage plus 7.
Table = dict[str, tuple[str, ...]]

# fmt: off
TIMM: Table = {
    "stem.0.0":              ("conv_stem", "bn1"),
    # block without an expansion
    "separable depthwise":   ("blocks.{s}.{b}.conv_dw", "blocks.{s}.{b}.bn1"),
    "separable gate.reduce": ("blocks.{s}.{b}.se.conv_reduce",),
    "separable gate.expand": ("blocks.{s}.{b}.se.conv_expand",),
    "separable project":     ("blocks.{s}.{b}.conv_pw", "blocks.{s}.{b}.bn2"),
    # mobile inverted bottleneck
    "inverted expand":       ("blocks.{s}.{b}.conv_pw", "blocks.{s}.{b}.bn1"),
    "inverted depthwise":    ("blocks.{s}.{b}.conv_dw", "blocks.{s}.{b}.bn2"),
    "inverted gate.reduce":  ("blocks.{s}.{b}.se.conv_reduce",),
    "inverted gate.expand":  ("blocks.{s}.{b}.se.conv_expand",),
    "inverted project":      ("blocks.{s}.{b}.conv_pwl", "blocks.{s}.{b}.bn3"),
    # fused, with and without a projection
    "fused expand":          ("blocks.{s}.{b}.conv_exp", "blocks.{s}.{b}.bn1"),
    "fused project":         ("blocks.{s}.{b}.conv_pwl", "blocks.{s}.{b}.bn2"),
    "plain expand":          ("blocks.{s}.{b}.conv", "blocks.{s}.{b}.bn1"),
    "head.conv":             ("conv_head", "bn2"),
    "head.classifier":       ("classifier",),
}
TIMM_V3: Table = TIMM | {
    "head.conv":             ("blocks.{stages}.0.conv", "blocks.{stages}.0.bn1"),
    "head.linear.0":         ("conv_head (1x1)",),
}

TORCHVISION_EFFICIENTNET: Table = {
    "stem.0.0":              ("features.0.0", "features.0.1"),
    "separable depthwise":   ("features.{s1}.{b}.block.0.0", "features.{s1}.{b}.block.0.1"),
    "separable gate.reduce": ("features.{s1}.{b}.block.1.fc1",),
    "separable gate.expand": ("features.{s1}.{b}.block.1.fc2",),
    "separable project":     ("features.{s1}.{b}.block.2.0", "features.{s1}.{b}.block.2.1"),
    "inverted expand":       ("features.{s1}.{b}.block.0.0", "features.{s1}.{b}.block.0.1"),
    "inverted depthwise":    ("features.{s1}.{b}.block.1.0", "features.{s1}.{b}.block.1.1"),
    "inverted gate.reduce":  ("features.{s1}.{b}.block.2.fc1",),
    "inverted gate.expand":  ("features.{s1}.{b}.block.2.fc2",),
    "inverted project":      ("features.{s1}.{b}.block.3.0", "features.{s1}.{b}.block.3.1"),
    "fused expand":          ("features.{s1}.{b}.block.0.0", "features.{s1}.{b}.block.0.1"),
    "fused project":         ("features.{s1}.{b}.block.1.0", "features.{s1}.{b}.block.1.1"),
    "plain expand":          ("features.{s1}.{b}.block.0.0", "features.{s1}.{b}.block.0.1"),
    "head.conv":             ("features.{stages1}.0", "features.{stages1}.1"),
    "head.classifier":       ("classifier.1",),
}
TORCHVISION_V2: Table = {
    "stem.0.0":              ("features.0.0", "features.0.1"),
    "separable depthwise":   ("features.{f1}.conv.0.0", "features.{f1}.conv.0.1"),
    "separable project":     ("features.{f1}.conv.1", "features.{f1}.conv.2"),
    "inverted expand":       ("features.{f1}.conv.0.0", "features.{f1}.conv.0.1"),
    "inverted depthwise":    ("features.{f1}.conv.1.0", "features.{f1}.conv.1.1"),
    "inverted project":      ("features.{f1}.conv.2", "features.{f1}.conv.3"),
    "head.conv":             ("features.{blocks1}.0", "features.{blocks1}.1"),
    "head.classifier":       ("classifier.1",),
}
TORCHVISION_V3: Table = {  # the gate, where there is one, moves the projection up by one
    "stem.0.0":              ("features.0.0", "features.0.1"),
    "separable depthwise":   ("features.{f1}.block.0.0", "features.{f1}.block.0.1"),
    "separable gate.reduce": ("features.{f1}.block.1.fc1",),
    "separable gate.expand": ("features.{f1}.block.1.fc2",),
    "separable project":     ("features.{f1}.block.{gate1}.0", "features.{f1}.block.{gate1}.1"),
    "inverted expand":       ("features.{f1}.block.0.0", "features.{f1}.block.0.1"),
    "inverted depthwise":    ("features.{f1}.block.1.0", "features.{f1}.block.1.1"),
    "inverted gate.reduce":  ("features.{f1}.block.2.fc1",),
    "inverted gate.expand":  ("features.{f1}.block.2.fc2",),
    "inverted project":      ("features.{f1}.block.{gate2}.0", "features.{f1}.block.{gate2}.1"),
    "head.conv":             ("features.{blocks1}.0", "features.{blocks1}.1"),
    "head.linear.0":         ("classifier.0",),
    "head.classifier":       ("classifier.3",),
}
TORCHVISION_MNASNET: Table = {
    "stem.0.0":              ("layers.0", "layers.1"),
    "separable depthwise":   ("layers.3", "layers.4"),
    "separable project":     ("layers.6", "layers.7"),
    "inverted expand":       ("layers.{s7}.{b}.layers.0", "layers.{s7}.{b}.layers.1"),
    "inverted depthwise":    ("layers.{s7}.{b}.layers.3", "layers.{s7}.{b}.layers.4"),
    "inverted project":      ("layers.{s7}.{b}.layers.6", "layers.{s7}.{b}.layers.7"),
    "head.conv":             ("layers.{stages7}", "layers.{stages8}"),
    "head.classifier":       ("classifier.1",),
}
EFFICIENTNET_PYTORCH: Table = {  # lukemelas', whose names TensorFlow ports carry
    "stem.0.0":              ("_conv_stem", "_bn0"),
    "separable depthwise":   ("_blocks.{f}._depthwise_conv", "_blocks.{f}._bn1"),
    "separable gate.reduce": ("_blocks.{f}._se_reduce",),
    "separable gate.expand": ("_blocks.{f}._se_expand",),
    "separable project":     ("_blocks.{f}._project_conv", "_blocks.{f}._bn2"),
    "inverted expand":       ("_blocks.{f}._expand_conv", "_blocks.{f}._bn0"),
    "inverted depthwise":    ("_blocks.{f}._depthwise_conv", "_blocks.{f}._bn1"),
    "inverted gate.reduce":  ("_blocks.{f}._se_reduce",),
    "inverted gate.expand":  ("_blocks.{f}._se_expand",),
    "inverted project":      ("_blocks.{f}._project_conv", "_blocks.{f}._bn2"),
    "head.conv":             ("_conv_head", "_bn1"),
    "head.classifier":       ("_fc",),
}

DIALECTS: dict[str, dict[str, Table]] = {
    "timm": {"mobilenetv1": TIMM, "mobilenetv2": TIMM, "mobilenetv3": TIMM_V3, "mnasnet": TIMM, "efficientnet": TIMM},
    "torchvision": {"mobilenetv2": TORCHVISION_V2, "mobilenetv3": TORCHVISION_V3, "mnasnet": TORCHVISION_MNASNET,
                    "efficientnet": TORCHVISION_EFFICIENTNET},
    "efficientnet_pytorch": {"mobilenetv2": EFFICIENTNET_PYTORCH, "efficientnet": EFFICIENTNET_PYTORCH},
}
# MobileNetV3's table has a row per change of exp; timm groups its blocks by resolution. By the number of blocks.
GROUPS_V3 = {15: (1, 2, 3, 4, 2, 3), 11: (1, 2, 3, 2, 3)}
# fmt: on


class Pair(NamedTuple):
    """One tensor's name and shape here and there."""

    ours: str
    theirs: str
    shape: torch.Size
    their_shape: torch.Size


def to_linnet(state: Mapping[str, Tensor], arch: Arch, dialect: str | None = None) -> dict[str, Tensor]:
    """`state` under Linnet's names, ready for `build(arch)`; values are not copied.

    `dialect` is "timm", "torchvision" or "efficientnet_pytorch"; without it the one that fits best is taken. Counters
    of batches, which old files lack, become 0.
    Raises: WeightsError that names the first tensors which do not fit.
    """
    if dialect is None:
        dialect = max(_spoken(arch), key=lambda d: _shared(state, arch, d))
    wanted = pairs(arch, dialect)
    counters = {p.theirs for p in wanted if p.theirs.endswith("num_batches_tracked")}
    names = [pair.theirs for pair in wanted]
    missing = [name for name in names if name not in state and name not in counters]
    left = sorted(state.keys() - set(names))
    shapes = [
        f"{p.theirs} {tuple(state[p.theirs].shape)} where {tuple(p.their_shape)} is needed"
        for p in wanted
        if p.theirs in state and state[p.theirs].shape != p.their_shape
    ]
    for problem, found in (("missing", missing), ("not known", left), ("of another shape", shapes)):
        if found:
            more = f" and {len(found) - 3} more" if len(found) > 3 else ""
            raise WeightsError(
                f"These {dialect} weights are not those of {arch.name}: {problem} {', '.join(found[:3])}{more}."
                " Give the weights of this network, or the name of the network that they belong to."
            )
    return {
        p.ours: state[p.theirs].reshape(p.shape) if p.theirs in state else torch.zeros(p.shape, dtype=torch.long)
        for p in wanted
    }


def from_linnet(state: Mapping[str, Tensor], arch: Arch, dialect: str) -> dict[str, Tensor]:
    """The weights of `build(arch)` under the names of "timm", "torchvision" or "efficientnet_pytorch".

    Raises: WeightsError that names the first tensors which do not fit.
    """
    wanted = pairs(arch, dialect)
    odd = sorted(state.keys() ^ {pair.ours for pair in wanted})
    odd += [p.ours for p in wanted if p.ours in state and state[p.ours].shape != p.shape]
    if odd:
        raise WeightsError(
            f"These are not the weights of {arch.name}: {', '.join(odd[:3])} does not fit. Give its own state dict."
        )
    return {p.theirs: state[p.ours].reshape(p.their_shape) for p in wanted}


@lru_cache(maxsize=64)
def pairs(arch: Arch, dialect: str) -> tuple[Pair, ...]:
    """Every tensor of `arch` with its name in `dialect`.

    Raises: SettingError when the dialect is not known or has no such network.
    """
    if dialect not in DIALECTS:
        raise SettingError(
            f"There is no dialect {dialect!r}; choose one of {', '.join(DIALECTS)}.{did_you_mean(dialect, DIALECTS)}"
        )
    table = DIALECTS[dialect].get(family(arch))
    if table is None:
        raise SettingError(
            f"{dialect} has no network like {arch.name}; {' and '.join(_spoken(arch)) or 'no other library'} has."
        )
    with torch.device("meta"):
        state = build(arch).state_dict()
    places = _places(arch, set(state), dialect)
    return tuple(_pair(name, tensor.shape, table, places, arch, dialect) for name, tensor in state.items())


def family(arch: Arch) -> str:
    """Which lines of the tables hold for `arch`: its operators say it."""
    ops = [op for stage in arch.stages for op in stage.ops]
    if any(isinstance(op, Bneck) for op in ops):
        return "mobilenetv3"
    if any(isinstance(op, SepConv) for op in ops):
        return "mnasnet" if any(isinstance(op, SepConv) and op.linear for op in ops) else "mobilenetv1"
    if any(isinstance(op, FusedMBConv) or getattr(op, "se", 0) for op in ops):
        return "efficientnet"
    return "mobilenetv2"


def _shared(state: Mapping[str, Tensor], arch: Arch, dialect: str) -> int:
    """How many names of `state` are names of `arch` in that dialect."""
    try:
        return len(state.keys() & {pair.theirs for pair in pairs(arch, dialect)})
    except SettingError:
        return -1  # a library without this network, as torchvision is without MnasNet-A1


def _spoken(arch: Arch) -> list[str]:
    return [dialect for dialect, tables in DIALECTS.items() if family(arch) in tables]


class _Places(dict[str, int]):
    """Fills "{s7}": the value of "s", plus 7."""

    def __missing__(self, key: str) -> int:
        name = key.rstrip("0123456789")
        return self[name] + int(key[len(name) :])


def _places(arch: Arch, names: set[str], dialect: str) -> dict[str, tuple[str, _Places]]:
    """Of every block, "stages.3.0" -> its kind and where the other library has it."""
    own = [(s, b) for s, stage in enumerate(arch.stages) for b in range(stage.layers)]
    groups = GROUPS_V3.get(len(own)) if dialect == "timm" and family(arch) == "mobilenetv3" else None
    theirs = [(s, b) for s, n in enumerate(groups) for b in range(n)] if groups else own
    found: dict[str, tuple[str, _Places]] = {}
    for f, ((s, b), (their_s, their_b)) in enumerate(zip(own, theirs, strict=True)):
        block = f"stages.{s}.{b}"
        expand, depthwise, gate, project = (
            any(name.startswith(f"{block}.{role}.") for name in names)
            for role in ("expand", "depthwise", "gate", "project")
        )
        kind = ("inverted" if expand else "separable") if depthwise else ("fused" if project else "plain")
        found[block] = (
            kind,
            _Places(s=their_s, b=their_b, f=f, gate=int(gate), stages=theirs[-1][0] + 1, blocks=len(own)),
        )
    found["whole"] = "", _Places(stages=theirs[-1][0] + 1, blocks=len(own))
    return found


def _pair(name: str, shape: torch.Size, table: Table, places: Mapping[str, tuple[str, _Places]], arch: Arch,
          dialect: str) -> Pair:  # fmt: skip
    part, _, leaf = name.rpartition(".")
    normed = part.endswith(".norm")
    part = part.removesuffix(".norm")
    block = ".".join(part.split(".")[:3])
    kind, place = places.get(block, places["whole"])
    line = table.get(f"{kind} {part.removeprefix(block + '.')}" if kind else part, ())
    if len(line) <= normed:
        raise SettingError(f"{dialect} has no {name} in networks like {arch.name}: its names cannot be mapped.")
    theirs = line[normed]
    pointwise = theirs.endswith(" (1x1)") and leaf == "weight"
    theirs = theirs.removesuffix(" (1x1)").format_map(place)
    return Pair(name, f"{theirs}.{leaf}", shape, torch.Size((*shape, 1, 1)) if pointwise else shape)
