"""What is made small."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def soft_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean over the batch of -sum(targets * log softmax(logits)); both [B, classes], computed in float32.

    The targets are probabilities: label smoothing, mixup and cutmix have already happened (`linnet.data.mix`).
    """
    return -(targets * F.log_softmax(logits.float(), dim=1)).sum(1).mean()
