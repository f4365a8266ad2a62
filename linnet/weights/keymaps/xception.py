"""Names of Xception (Chollet 2017) in timm. Source: timm models/xception.py. torchvision has none."""

from __future__ import annotations

from ...arch.spec import Layer
from ...arch.xception import EntryFlow, ExitFlow, MiddleFlow, SeparableConv
from .table import Keys, Table, uses

# fmt: off
TIMM: Table = {
    "stem.0.0":                      ("conv1", "bn1"),
    "stem.1.0":                      ("conv2", "bn2"),
    # a flow that begins with its first convolution, and one with an activation before it
    "plain separable.{n}.depthwise": ("block{f1}.rep.{3n}.conv1",),
    "plain separable.{n}.pointwise": ("block{f1}.rep.{3n}.pointwise", "block{f1}.rep.{3n1}"),
    "plain shortcut":                ("block{f1}.skip", "block{f1}.skipbn"),
    "flow separable.{n}.depthwise":  ("block{f1}.rep.{3n1}.conv1",),
    "flow separable.{n}.pointwise":  ("block{f1}.rep.{3n1}.pointwise", "block{f1}.rep.{3n2}"),
    "flow shortcut":                 ("block{f1}.skip", "block{f1}.skipbn"),
    # the two at the end, layers 12 and 13 counted from 0
    "last depthwise":                ("conv{f-9}.conv1",),
    "last pointwise":                ("conv{f-9}.pointwise", "bn{f-9}"),
    "head.classifier":               ("fc",),
}
# fmt: on


def _kind(layer: Layer) -> str:
    match layer.op:
        case SeparableConv():
            return "last"
        case EntryFlow(relu=False):
            return "plain"
    return "flow"


KEYS: tuple[Keys, ...] = (Keys(uses(EntryFlow, MiddleFlow, ExitFlow), {"timm": TIMM}, _kind),)
