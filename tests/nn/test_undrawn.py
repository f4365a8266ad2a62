from __future__ import annotations

import pytest
import torch
from torch import nn

from linnet.arch.names import find
from linnet.nn.build import build
from linnet.nn.undrawn import Conv2d, Linear, drawn_later


def test_inside_nothing_is_drawn_and_outside_as_torch_does() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    with drawn_later():
        Conv2d(3, 8, 3)
        Linear(4, 5)
    assert torch.equal(torch.get_rng_state(), before)
    conv, fc = Conv2d(3, 8, 3), Linear(4, 5)
    torch.manual_seed(0)
    theirs = nn.Conv2d(3, 8, 3), nn.Linear(4, 5)
    for ours, other in zip((conv, fc), theirs, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), other.parameters(), strict=True))


def test_an_error_inside_does_not_last() -> None:
    with pytest.raises(ZeroDivisionError), drawn_later():
        raise ZeroDivisionError
    before = torch.get_rng_state()
    Linear(4, 5)
    assert not torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    "name", ["mobilenetv3_small_050", "mnasnet_small", "swin_tiny_patch4_window7_224", "shufflenet_v2_x0_5"]
)
def test_every_weight_of_a_network_is_drawn(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory that nobody wrote would show: here all new memory is full of NaN."""
    empty = torch.empty
    monkeypatch.setattr(torch, "empty", lambda *a, **k: empty(*a, **k).fill_(float("nan")))
    net = build(find(name).with_classes(3))
    assert all(bool(p.isfinite().all()) for p in net.parameters())


def test_an_operator_of_someone_else_may_use_torchs_own_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    monkeypatch.setattr(nn.Conv2d, "reset_parameters", lambda self: drawn.append(type(self).__name__))
    with drawn_later():
        nn.Conv2d(3, 4, 1)
        Conv2d(3, 4, 1)
    assert drawn == ["Conv2d"]
