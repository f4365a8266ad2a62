"""Channels that have died: depthwise kernels and BatchNorm scales that training has driven to zero.

Such a channel says the same of every picture and costs as much as a living one. It happens to depthwise kernels above
all, which have few weights and whose decay nothing resists: hence "little or no weight decay" on them in MobileNet.

Source: Howard et al. 2017, section 3 (decay of depthwise filters); Sheng et al. 2018, A Quantization-Friendly Separable
Convolution for MobileNets (depthwise channels of no variance); Mehta et al. 2019, On Implicit Filter Level Sparsity in
Convolutional Neural Networks (scales of BatchNorm, and a threshold of 1e-3).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..nn.net import Net

SHARE = 1e-3  # of the layer's mean: below it a channel counts as dead


def dead_channels(net: Net) -> list[dict[str, Any]]:
    """One entry per row of the table that has such channels: its name, and [dead, all] of `kernels` and of `scales`.

    A kernel is dead when its norm is at most SHARE of the mean norm in its layer, a scale likewise by its size. The
    mean, not the median: it stands when most of a layer is dead.
    """
    found = []
    rows = zip(net.arch.row_names, (*net.stem, *net.stages, *net.head), strict=True)
    for name, row in rows:
        kernels, scales = [0, 0], [0, 0]
        for m in row.modules():
            if isinstance(m, nn.Conv2d) and m.groups == m.in_channels > 1:
                _count(kernels, torch.linalg.vector_norm(m.weight.detach().float().flatten(1), dim=1))
            elif isinstance(m, nn.modules.batchnorm._BatchNorm) and m.weight is not None:
                _count(scales, m.weight.detach().float().abs())
        if kernels[1] or scales[1]:
            found.append({"row": name, "kernels": kernels, "scales": scales})
    return found


def _count(so_far: list[int], sizes: Tensor) -> None:
    so_far[0] += int((sizes <= SHARE * sizes.mean()).sum())
    so_far[1] += len(sizes)
