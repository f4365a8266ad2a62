"""How each family's released code draws its first weights."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ..arch.spec import Arch

WITHIN_TWO = math.erf(math.sqrt(2))  # part of a normal distribution within two deviations of its mean


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
    for m in net.modules():
        if isinstance(m, nn.Conv2d | nn.Linear):
            _draw(m, arch.init)
            if m.bias is not None:
                nn.init.zeros_(m.bias)


def _draw(m: nn.Conv2d | nn.Linear, scheme: str) -> None:
    w = m.weight
    match scheme:
        case "slim":
            cut_normal(w, 0.09)
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


def cut_normal(w: Tensor, std: float) -> None:
    """N(0, std^2) cut at two deviations, by its inverse distribution function: nothing has to be drawn again."""
    with torch.no_grad():
        w.uniform_(-WITHIN_TWO, WITHIN_TWO).erfinv_().mul_(math.sqrt(2) * std)
