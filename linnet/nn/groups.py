"""A network's parameters by depth, for layer-wise learning rates."""

from __future__ import annotations

from typing import Any

from torch import nn

from .net import Net


def depth_of(net: Net) -> dict[str, int]:
    """Name of each parameter -> the number of its residual layer: 0 before the first, one more in the head.

    A layer counts once however many residual units it has (a transformer's has two), as in `set_regularisation`; what
    stands between two has the number of the one before. In a network without residual layers (VGG) each layer of the
    stages that has parameters counts.
    """
    ops = [layer.op for _, layer in net.arch.layers(channels=net.in_chans, output_stride=net.output_stride)]
    found: dict[str, int] = {}
    residual = any(op.units for op in ops)
    depth, at = 0, 0
    for part, rows in (("stem", net.stem), ("stages", net.stages)):
        for i, row in enumerate(rows):
            for j, layer in enumerate(row):  # type: ignore[arg-type]
                names = [f"{part}.{i}.{j}.{name}" for name, _ in layer.named_parameters()]
                depth += bool(ops[at].units if residual else names and part == "stages")
                found |= dict.fromkeys(names, depth)
                at += 1
    return found | {f"head.{name}": depth + 1 for name, _ in net.head.named_parameters()}


def parameter_groups(net: Net, *, weight_decay: float, lr_decay: float = 1.0) -> list[dict[str, Any]]:
    """Groups for an optimiser, each with its `lr_scale`: `lr_decay` once for each residual layer after it, and for the head.

    Norms, biases and `net.no_weight_decay()` are not decayed. Source: BEiT (Bao 2022). ConvNeXt counts
    groups of three blocks instead (optim_factory.py).
    """
    depths, bare = depth_of(net), net.no_weight_decay()
    last = max(depths.values())
    groups: dict[tuple[int, bool], list[nn.Parameter]] = {}
    for name, p in net.named_parameters():
        groups.setdefault((depths[name], p.ndim > 1 and name not in bare), []).append(p)
    return [
        {"params": params, "lr_scale": lr_decay ** (last - depth), "weight_decay": weight_decay if decayed else 0.0}
        for (depth, decayed), params in sorted(groups.items(), key=lambda item: item[0])
    ]
