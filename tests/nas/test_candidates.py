"""Which networks start, in which sizes."""

from __future__ import annotations

import pytest

from linnet.arch.names import find
from linnet.nas import candidates
from linnet.nas.candidates import ALONE, BESIDE, NETWORKS, networks, short_list, sides_of


def test_every_network_there_is_has_sides_that_it_takes() -> None:
    for name in NETWORKS:
        arch = find(name)
        sides = sides_of(arch)
        assert sides[0] == 96
        assert sides[-1] <= 1.5 * min(arch.image, 224)
        list(arch.layers(sides[-1]))
    assert sides_of(find("lenet5")) == (32,)  # made for less than the smallest side


def test_a_named_network_and_side_are_the_only_ones() -> None:
    (one,) = networks(7, arch="mobilenetv3_small_050", image=64, scratch=True)
    assert (one.name, one.sides, one.tuned, one.arch.classes) == ("mobilenetv3_small_050", (64,), False, 7)


def test_the_size_of_files_is_that_of_the_weights() -> None:
    (one,) = networks(10, arch="mobilenetv3_small_100", scratch=True)
    assert one.size("fp32") == pytest.approx(4 * 1_528_106, rel=0.06)
    assert one.size("int8") < one.size("fp32") / 3


def test_pretrained_ones_come_first_and_few_from_scratch_beside_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "has_weights", lambda name: name == "lcnet_050")
    goals = {one.name: (one, 128) for one in networks(10)}
    chosen = short_list(goals, 3000)
    assert chosen[0] == "lcnet_050"
    assert len(chosen) == 1 + BESIDE
    assert short_list(goals, 3000, hurried=True) == ["lcnet_050"]
    assert goals[chosen[1]][0].madds(128) == max(one.madds(128) for one, _ in goals.values())
    assert len(short_list(goals, 100_000)) == 1 + ALONE
