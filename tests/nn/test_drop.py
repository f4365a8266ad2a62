from __future__ import annotations

import pytest
import torch
from torch import nn

from linnet.nn.drop import Dropout, DropPath, Part, see_part


def seeded(m: nn.Module, x: torch.Tensor, part: Part | None) -> torch.Tensor:
    see_part(m, part)
    torch.manual_seed(3)
    return m(x)


@pytest.fixture
def dropping() -> nn.Module:
    path = DropPath()
    path.rate = 0.4
    return nn.Sequential(path, Dropout(0.3), DropPath(), Dropout(0.2)).train()


def test_parts_drop_what_the_whole_batch_drops(dropping: nn.Module) -> None:
    x = torch.randn(12, 7)
    whole = seeded(dropping, x, None)
    assert (whole == 0).any()
    parts = [seeded(dropping, x[a:b], Part(a, 12)) for a, b in ((0, 5), (5, 6), (6, 12))]
    assert torch.equal(torch.cat(parts), whole)


def test_a_whole_batch_draws_what_torch_draws() -> None:
    x = torch.randn(6, 5)
    ours, theirs = Dropout(0.3).train(), nn.Dropout(0.3).train()
    torch.manual_seed(0)
    expected = theirs(x)
    torch.manual_seed(0)
    assert torch.equal(ours(x), expected)


def test_in_evaluation_nothing_drops(dropping: nn.Module) -> None:
    x = torch.randn(4, 3)
    see_part(dropping, Part(2, 8))
    assert torch.equal(dropping.eval()(x), x)
