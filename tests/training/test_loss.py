from __future__ import annotations

import torch
from torch.nn import functional as F

from linnet.training.loss import soft_cross_entropy


def test_it_is_cross_entropy_with_label_smoothing():
    torch.manual_seed(0)
    logits, labels = torch.randn(6, 4), torch.tensor([0, 1, 2, 3, 0, 1])
    smooth = F.one_hot(labels, 4) * 0.9 + 0.1 / 4
    assert torch.allclose(soft_cross_entropy(logits, smooth), F.cross_entropy(logits, labels, label_smoothing=0.1))


def test_it_is_computed_in_float32():
    loss = soft_cross_entropy(torch.zeros(2, 3, dtype=torch.bfloat16), torch.eye(3)[:2])
    assert loss.dtype == torch.float32
    assert torch.isclose(loss, torch.tensor(3.0).log())
