"""One check for every family: random weights of another library's network go through the key map, and both answer alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import timm
import torch
from torch import Tensor, nn
from torchvision import models

from linnet.arch.names import find
from linnet.arch.spec import Arch
from linnet.nn.build import build
from linnet.weights.keymap import from_linnet, pairs, to_linnet
from linnet.weights.model import load_exactly

Side = int | tuple[int, int]


def randomise(net: nn.Module, seed: int = 0) -> nn.Module:
    """Every parameter and BN statistic its own value, of a size at which logits stay comparable."""
    generator = torch.Generator().manual_seed(seed)

    def draw(tensor: Tensor, low: float, high: float) -> None:
        tensor.data.copy_(torch.empty(tensor.shape).uniform_(low, high, generator=generator))

    for m in net.modules():
        if isinstance(m, nn.modules.batchnorm._BatchNorm):
            draw(m.weight, 0.5, 1.5)
            draw(m.bias, -0.3, 0.3)
            draw(m.running_mean, -0.3, 0.3)  # type: ignore[arg-type]
            draw(m.running_var, 0.5, 1.5)  # type: ignore[arg-type]
            m.num_batches_tracked.fill_(7)  # type: ignore[union-attr,operator]
            continue
        for p in m.parameters(recurse=False):
            if isinstance(m, nn.Conv2d | nn.Linear | nn.MultiheadAttention) and p.ndim > 1:
                bound = (3.0 / p[0].numel()) ** 0.5
                draw(p, -bound, bound)
            elif isinstance(m, nn.LayerNorm | nn.GroupNorm) and p is m.weight:
                draw(p, 0.5, 1.5)
            else:
                draw(p, -0.3, 0.3)
    return net.eval()


def agree(a: Tensor, b: Tensor, tolerance: float = 1e-5) -> bool:
    """Equal but for the order of sums: within `tolerance` of the largest value."""
    return a.shape == b.shape and bool((a - b).abs().max() <= tolerance * max(1.0, float(b.abs().max())))


def check(arch: Arch, theirs: nn.Module, dialect: str, sides: Sequence[Side]) -> None:
    """Strict load of `theirs`, equal logits at every side, and the same tensors back.

    `theirs` must have as many classes as `arch`; its weights are drawn anew.
    """
    state = {name: tensor.clone() for name, tensor in randomise(theirs).state_dict().items()}
    ours = build(arch).eval()
    load_exactly(ours, to_linnet(state, arch, dialect), what=arch.name)
    for side in sides:
        h, w = (side, side) if isinstance(side, int) else side
        x = torch.randn(2, 3, h, w, generator=torch.Generator().manual_seed(1))
        with torch.no_grad():
            mine, other = ours(x), theirs(x)
        assert agree(mine, other), f"{arch.name} at {side}: {float((mine - other).abs().max())}"
    back = from_linnet(ours.state_dict(), arch, dialect)
    assert back.keys() == state.keys()
    assert all(torch.equal(back[name], state[name]) for name in state)


def check_timm(name: str, sides: Sequence[Side] = (64, 97), theirs: str = "", **options: object) -> None:
    """`options` go to timm.create_model (img_size=..., for networks whose weights belong to a size)."""
    check(find(name).with_classes(11), timm.create_model(theirs or name, num_classes=11, **options), "timm", sides)


def check_torchvision(name: str, sides: Sequence[Side] = (64, 97), theirs: str = "", **options: object) -> None:
    """With the eps of torchvision's own norms, which is a style of the weights."""
    other = models.get_model(theirs or name, num_classes=11, **options)
    eps = next((m.eps for m in other.modules() if isinstance(m, nn.BatchNorm2d | nn.LayerNorm)), None)
    arch = find(name).with_classes(11)
    check(arch if eps is None else replace(arch, style=replace(arch.style, eps=eps)), other, "torchvision", sides)


def check_names(name: str, dialect: str, theirs: str = "", **options: object) -> None:
    """Names and shapes alone, on the meta device: for the large ones."""
    with torch.device("meta"):
        make = timm.create_model if dialect == "timm" else models.get_model
        state = make(theirs or name, **options).state_dict()
    assert {p.theirs: p.their_shape for p in pairs(find(name), dialect)} == {k: v.shape for k, v in state.items()}


def check_features(name: str, theirs: str = "") -> None:
    """(channels, reduction) of `features` are those of timm's `features_only`."""
    with torch.device("meta"):
        info = timm.create_model(theirs or name, features_only=True).feature_info
    found = [(channels, reduction) for _, channels, reduction in find(name).features()]
    assert found == list(zip(info.channels(), info.reduction(), strict=True))
