"""From an Arch to a network with fresh weights. Importing it registers the modules of every family."""

from __future__ import annotations

from contextlib import nullcontext

from ..arch.spec import Arch
from . import (  # noqa: F401  (each registers its operators' modules)
    conv,
    convnext,
    densenet,
    efficientnet,
    efficientvit,
    ghostnet,
    inception,
    lcnet,
    mobilenet,
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
from .init import initialise
from .net import Net
from .undrawn import drawn_later


def build(arch: Arch, *, in_chans: int = 3, output_stride: int = 0) -> Net:
    """The network of `arch`, its weights drawn from torch's generator in the family's way.

    On the meta device (`with torch.device("meta")`) it has shapes only and costs nothing.
    """
    with nullcontext() if arch.init == "torch" else drawn_later():
        net = Net(arch, in_chans=in_chans, output_stride=output_stride)
    if not any(p.is_meta for p in net.parameters()):
        initialise(net, arch)
    return net
