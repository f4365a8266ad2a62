from __future__ import annotations

import pytest
import timm.optim
import torch

from linnet.training.lamb import Lamb


def test_it_is_timms_without_its_clipping():
    torch.manual_seed(0)
    start = [torch.randn(8, 4), torch.randn(3, 2, 3, 3), torch.zeros(5, 5)]
    ours, theirs = ([torch.nn.Parameter(w.clone()) for w in start] for _ in range(2))
    one = Lamb(ours, lr=0.1, betas=(0.9, 0.99), eps=1e-6, weight_decay=0.02)
    two = timm.optim.Lamb(theirs, lr=0.1, betas=(0.9, 0.99), eps=1e-6, weight_decay=0.02, max_grad_norm=None)
    for _ in range(5):
        for a, b in zip(ours, theirs, strict=True):
            a.grad = torch.randn_like(a)
            b.grad = a.grad.clone()
        one.step()
        two.step()
        for a, b in zip(ours, theirs, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


def test_the_first_step_is_as_long_as_the_weights_times_the_rate():
    w = torch.nn.Parameter(torch.tensor([3.0, 4.0]))
    optimizer = Lamb([{"params": [w], "weight_decay": 1e-9}], lr=0.1, betas=(0.9, 0.999), eps=1e-12)
    w.grad = torch.tensor([0.5, -2.0])
    optimizer.step()
    # Adam's first step is the gradient's sign, of norm sqrt(2); |w| is 5.
    assert w.tolist() == pytest.approx([3 - 0.1 * 5 / 2**0.5, 4 + 0.1 * 5 / 2**0.5], abs=1e-6)


def test_what_is_not_decayed_takes_adams_step():
    w = torch.nn.Parameter(torch.tensor([3.0, 4.0]))
    optimizer = Lamb([w], lr=0.1, betas=(0.9, 0.999), eps=1e-12)
    w.grad = torch.tensor([0.5, -2.0])
    optimizer.step()
    assert w.tolist() == pytest.approx([2.9, 4.1], abs=1e-6)
