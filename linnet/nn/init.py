"""How each family's released code draws its first weights."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..arch.spec import Arch


def initialise(net: nn.Module, arch: Arch) -> None:
    """Draw the weights of a network (or part) that was just made, from torch's generator. Norms start at one and zero,
    biases at zero.

    - "fan_out" (EfficientNet, MnasNet): convolutions N(0, 2 / fan_out), fan_out = k * k * cout / groups; linear layers
      uniform within 1 / sqrt(outputs). Source: tensorflow/tpu efficientnet_model.py, conv_kernel_initializer and
      dense_kernel_initializer.
    - "slim" (MobileNetV1 to V3): truncated N(0, 0.09^2), cut at two deviations. Source: tensorflow/models
      research/slim/nets/mobilenet_v1.py and mobilenet/mobilenet.py, stddev=0.09.
    - "trunc" (transformers and ConvNeXt): truncated N(0, 0.02^2) for all of them. Source: timm vision_transformer.py,
      init_weights_vit_timm; facebookresearch/ConvNeXt models/convnext.py, _init_weights.
    - "he" (deep stacks without norms): N(0, 2 / fan_in) for all of them. Source: He 2015, equation 10.
    - "torch": as PyTorch drew each layer when it was made, its bias too; torchvision's and timm's ports of old networks
      keep that.

    What is no convolution or linear layer (positions, scales) is drawn by its own module.
    """
    if arch.init == "torch":
        return
    layers = [m for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    for m in layers:
        if m.bias is not None:
            nn.init.zeros_(m.bias)
    if arch.init == "slim" and layers:
        cut_normal([m.weight for m in layers], 0.09)
    else:
        for m in layers:
            _draw(m, arch.init)


def _draw(m: nn.Conv2d | nn.Linear, scheme: str) -> None:
    w = m.weight
    match scheme:
        case "trunc":  # cut at 2, a hundred deviations: nothing is ever cut
            nn.init.normal_(w, std=0.02)
        case "he":
            nn.init.normal_(w, std=math.sqrt(2 / w[0].numel()))
        case _ if isinstance(m, nn.Linear):
            bound = 1 / math.sqrt(m.out_features)
            nn.init.uniform_(w, -bound, bound)
        case _:
            k, fan_out = m.kernel_size[0] * m.kernel_size[1], m.out_channels // m.groups  # type: ignore[operator]
            nn.init.normal_(w, std=math.sqrt(2 / (k * fan_out)))


@torch.no_grad()
def cut_normal(weights: Sequence[Tensor], std: float) -> None:
    """N(0, std^2) cut at two deviations: what lies outside is drawn again. All at once: one draw for a hundred tensors."""
    flat = weights[0].new_empty(sum(w.numel() for w in weights)).normal_(0, std)
    outside = (flat.abs() > 2 * std).nonzero()[:, 0]
    while len(outside):
        flat[outside] = again = flat.new_empty(len(outside)).normal_(0, std)
        outside = outside[again.abs() > 2 * std]
    for w, drawn in zip(weights, flat.split([w.numel() for w in weights]), strict=True):
        w.copy_(drawn.view(w.shape))
