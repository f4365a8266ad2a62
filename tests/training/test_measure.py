from __future__ import annotations

import pytest
import torch

from linnet.nn.build import build
from linnet.training import measure
from linnet.training.measure import Candidate, bf16_is_supported, choose, fastest

CPU = torch.device("cpu")


def of(contiguous, channels_last, bf16):
    return (
        Candidate("contiguous", "fp32", contiguous),
        Candidate("channels_last", "fp32", channels_last),
        Candidate("channels_last", "bf16", bf16),
    )


@pytest.mark.parametrize(
    ("rates", "wins"),
    [
        ((44.0, 60.0, 59.0), 1),
        ((15.0, 30.0, 45.0), 2),
        ((50.0, 40.0, 51.0), 0),  # bf16 is ahead, but not clearly
        ((50.0, 40.0, 52.6), 2),
    ],
)
def test_bf16_has_to_win_clearly(rates, wins):
    measured = of(*rates)
    assert fastest(measured) == measured[wins]


def test_what_is_fixed_is_not_measured(tiny_arch, monkeypatch):
    monkeypatch.setattr(measure, "_seconds_of_a_step", lambda *args: pytest.fail("measured"))
    net = build(tiny_arch)
    for layout, precision in (("contiguous", "fp32"), ("channels_last", "bf16"), ("contiguous", "bf16")):
        found = choose(
            net, image=32, batch=4, classes=3, device=CPU, memory_format=layout, precision=precision, seconds=0
        )
        assert found == (Candidate(layout, precision), ())


def test_the_fastest_is_taken_and_the_hopeless_are_run_once(tiny_arch, monkeypatch):
    took = {("contiguous", "fp32"): 0.9, ("channels_last", "fp32"): 0.5, ("channels_last", "bf16"): 0.4}
    calls = []

    def step(net, images, targets, candidate):
        calls.append((len(images), candidate.memory_format, candidate.precision))
        return took[candidate.memory_format, candidate.precision]

    monkeypatch.setattr(measure, "_seconds_of_a_step", step)
    monkeypatch.setattr(measure, "bf16_is_supported", lambda device: True)
    chosen, measured = choose(build(tiny_arch), image=32, batch=4, classes=1000, device=CPU, seconds=0.01)
    assert chosen == Candidate("channels_last", "bf16", 10.0)
    assert [c.images_per_second for c in measured] == [4.44, 8.0, 10.0]
    assert calls.count((4, "contiguous", "fp32")) == 1
    assert calls.count((4, "channels_last", "bf16")) >= 2


def test_where_memory_does_not_suffice_half_as_many_are_measured(tiny_arch, monkeypatch):
    calls = []

    def step(net, images, targets, candidate):
        calls.append(len(images))
        if len(images) > 10:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return 0.1

    monkeypatch.setattr(measure, "_seconds_of_a_step", step)
    _, measured = choose(build(tiny_arch), image=32, batch=32, classes=3, device=CPU, seconds=0.01)
    assert set(calls) == {2, 32, 16, 8}
    assert {c.images_per_second for c in measured} == {80.0}
    monkeypatch.setattr(measure, "_seconds_of_a_step", lambda *_: step(None, range(99), None, None))
    with pytest.raises(torch.OutOfMemoryError):
        choose(build(tiny_arch), image=32, batch=32, classes=3, device=CPU, seconds=0)


def test_it_measures_and_leaves_the_network_as_it_was(tiny_arch):
    net = build(tiny_arch.with_classes(3))
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    chosen, measured = choose(net, image=32, batch=4, classes=3, device=CPU, seconds=0.1)
    assert chosen in measured
    assert len(measured) == 2 + bf16_is_supported(CPU)
    assert all(c.images_per_second > 0 for c in measured)
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
    assert all(p.grad is None for p in net.parameters())
