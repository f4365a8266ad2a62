from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import nn


def _randomise(net: nn.Module, seed: int = 0) -> nn.Module:
    """Weights and BN statistics that no two tensors share, of a size at which logits stay comparable."""
    generator = torch.Generator().manual_seed(seed)

    def draw(shape: torch.Size, low: float, high: float) -> torch.Tensor:
        return torch.empty(shape).uniform_(low, high, generator=generator)

    for m in net.modules():
        if isinstance(m, nn.BatchNorm2d):
            m.weight.data.copy_(draw(m.weight.shape, 0.5, 1.5))
            m.bias.data.copy_(draw(m.bias.shape, -0.3, 0.3))
            m.running_mean.copy_(draw(m.running_mean.shape, -0.3, 0.3))  # type: ignore[union-attr,operator,arg-type]
            m.running_var.copy_(draw(m.running_var.shape, 0.5, 1.5))  # type: ignore[union-attr,operator,arg-type]
            m.num_batches_tracked.fill_(7)  # type: ignore[union-attr,operator]
        elif isinstance(m, nn.Conv2d | nn.Linear):
            bound = (3.0 / m.weight[0].numel()) ** 0.5
            m.weight.data.copy_(draw(m.weight.shape, -bound, bound))
            if m.bias is not None:
                m.bias.data.copy_(draw(m.bias.shape, -0.3, 0.3))
    return net.eval()


@pytest.fixture
def randomise() -> Callable[..., nn.Module]:
    return _randomise


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Small networks gain nothing from threads, and lose much where other tests run beside them."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that is empty at first and shared, so that Lite0 is converted once."""
    return tmp_path_factory.mktemp("cache")
