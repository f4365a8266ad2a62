"""Which part of a network stays as it is."""

from __future__ import annotations

from torch import nn

from ..nn.net import Net


def freeze_rows(net: Net, rows: int) -> None:
    """The table's first `rows` rows do not learn, the others do: no gradient is made, the backward costs nothing."""
    for i, row in enumerate(_rows(net)):
        row.requires_grad_(i >= rows)


def train_mode(net: Net, *, frozen: int, bn_frozen: bool) -> None:
    """Training mode, but evaluation mode for the `frozen` first rows, and for every BatchNorm with `bn_frozen`."""
    net.train()
    for row in _rows(net)[:frozen]:
        row.eval()
    if bn_frozen:
        for m in net.modules():
            if isinstance(m, nn.modules.batchnorm._BatchNorm):
                m.eval()


def _rows(net: Net) -> list[nn.Module]:
    return [*net.stem, *net.stages, *net.head]
