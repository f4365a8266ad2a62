"""A network as a backbone: images in, feature maps out, as detectors and segmentation heads want it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from ..errors import SettingError
from .net import FeatureInfo, Net


class FeatureNet(nn.Module):
    """[B, in_chans, H, W] -> maps [B, C, H / reduction, W / reduction] from large to small, those of `out_indices`.

    `feature_info.channels()` and `.reduction()` are those of these maps.
    Raises: SettingError for an index that the network has no map for.
    """

    def __init__(self, net: Net, out_indices: Sequence[int] | None = None) -> None:
        super().__init__()
        info = net.feature_info
        indices = range(len(info)) if out_indices is None else out_indices
        wrong = [i for i in indices if not -len(info) <= i < len(info)]
        if wrong:
            raise SettingError(
                f"{net.arch.name} has {len(info)} feature maps, at strides {', '.join(map(str, info.reduction()))}:"
                f" out_indices may hold 0 to {len(info) - 1}, not {wrong[0]}."
            )
        self.net = net
        self.feature_info = FeatureInfo(info[i] for i in indices)
        self._strides = sorted({feature.reduction for feature in self.feature_info})
        self._names = [feature.name for feature in info if feature.reduction in self._strides]

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = dict(zip(self._names, self.net.features(x, self._strides), strict=True))
        return [maps[feature.name] for feature in self.feature_info]

    @property
    def pretrained_cfg(self) -> dict[str, Any]:
        """The net's: how pictures are made ready for it, in timm's words."""
        return self.net.pretrained_cfg

    @property
    def default_cfg(self) -> dict[str, Any]:
        return self.net.pretrained_cfg
