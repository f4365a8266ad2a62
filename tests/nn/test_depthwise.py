from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from linnet.nn.depthwise import depthwise_conv, pays_off


@pytest.mark.parametrize("size", [(8, 8), (9, 12)])
@pytest.mark.parametrize(
    ("k", "stride", "pad"), [(3, 1, 1), (3, 2, 1), (3, 2, 0), (5, 1, 2), (5, 2, 2), (5, 2, 0), (7, 2, 3)]
)
def test_gradients_are_those_of_pytorch(k: int, stride: int, pad: int, size: tuple[int, int]) -> None:
    """Against float32 on the same bf16 numbers: the error is that of one rounding to bf16."""
    torch.manual_seed(0)
    x = torch.randn(2, 16, *size).bfloat16().contiguous(memory_format=torch.channels_last)
    weight = torch.randn(16, 1, k, k).bfloat16()
    ours = [x.clone().requires_grad_(), weight.clone().requires_grad_()]
    theirs = [x.float().requires_grad_(), weight.float().requires_grad_()]
    y = depthwise_conv(ours[0], ours[1], stride, pad)
    expected = F.conv2d(theirs[0], theirs[1], None, stride, pad, 1, 16)
    g = torch.randn(expected.shape).bfloat16()
    y.backward(g)
    expected.backward(g.float())
    torch.testing.assert_close(y.float(), expected, atol=0.05, rtol=0.01)
    for mine, reference in zip(ours, theirs, strict=True):
        assert mine.grad is not None
        assert reference.grad is not None
        assert mine.grad.shape == reference.grad.shape
        scale = reference.grad.abs().max()
        torch.testing.assert_close(mine.grad.float() / scale, reference.grad / scale, atol=0.01, rtol=0.01)


def test_it_is_used_for_bf16_training_on_a_cpu_only() -> None:
    x = torch.zeros(1, 8, 4, 4)
    assert not pays_off(x)
    assert pays_off(x.bfloat16())
    with torch.autocast("cpu", torch.bfloat16):
        assert pays_off(x)
        with torch.no_grad():
            assert not pays_off(x)
    assert not pays_off(x.to("meta"))
