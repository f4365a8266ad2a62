"""What a converter is given: the network as it is used, perhaps with the normalisation of pixels inside."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from ..data.preprocess import Preprocess
from ..nn.fold import fold
from ..nn.net import Net


class Pixels(nn.Module):
    """A network with `Preprocess.normalise` before it: uint8 [B, H, W, 3], RGB, to logits [B, classes]."""

    scale: Tensor
    shift: Tensor

    def __init__(self, net: Net, preprocess: Preprocess) -> None:
        super().__init__()
        self.net = net
        self.turned = preprocess.channels == "BGR"
        # The same float32 numbers as in Preprocess.normalise, so that only the order of rounding can differ.
        scale = [1 / (255 * std) for std in preprocess.std]
        shift = [mean / std for mean, std in zip(preprocess.mean, preprocess.std, strict=True)]
        self.register_buffer("scale", torch.tensor(scale).reshape(3, 1, 1))
        self.register_buffer("shift", torch.tensor(shift).reshape(3, 1, 1))

    def forward(self, pixels: Tensor) -> Tensor:
        x = pixels.permute(0, 3, 1, 2).float()
        if self.turned:
            x = x.flip(1)
        return cast(Tensor, self.net(x * self.scale - self.shift))


# What a file may end in after its logits, so that it gives probabilities: of one label, or of several.
ENDINGS = {"softmax": lambda: nn.Softmax(1), "sigmoid": nn.Sigmoid}


def to_export(
    net: Net, preprocess: Preprocess, *, uint8: bool = False, ending: str = "", batch: int = 2
) -> tuple[nn.Module, Tensor]:
    """The network with batch norms folded, in float32 on the CPU, and an example of its input.

    The example is float32 [batch, 3, image, image]; with `uint8` pixels [batch, image, image, 3], the module being `Pixels`.
    `ending`: one of ENDINGS to come after the logits, or none.
    """
    folded = fold(net).float().cpu().to(memory_format=torch.contiguous_format)
    side = preprocess.image
    module: nn.Module = Pixels(folded, preprocess).eval() if uint8 else folded
    if ending:
        module = nn.Sequential(module, ENDINGS[ending]()).eval()
    if uint8:
        return module, torch.zeros(batch, side, side, 3, dtype=torch.uint8)
    return module, torch.zeros(batch, net.in_chans, side, side)
