"""From a budget to the sides and ways that fit: with a device that takes what the tests say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from linnet.arch.spec import Arch
from linnet.cost.count import count
from linnet.nas import promising
from linnet.nas.budget import Budget
from linnet.nas.candidates import Network, networks
from linnet.nas.measuring import Measured
from linnet.nas.promising import Predictor, between, first_goals, largest_side, look_at_all, nearest, options_of

NS = {"onnx": 1e-8, "openvino-bf16": 5e-9, "onnx-int8": 7e-9, "openvino-int8": 3e-9}  # ms for one multiply-add


def device(arch: Arch, image: int, ways: Sequence[str], threads: int, memory: bool) -> dict[str, Measured]:
    total = count(arch, image).total
    return {
        way: Measured(NS[way] * total.madds, total.params * (1 if "int8" in way else 4), 10**8 if memory else None)
        for way in ways
    }


@pytest.fixture(autouse=True)
def no_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(promising, "read_table", lambda place: None)
    monkeypatch.setattr(promising, "table_file", lambda way, threads: None)


def lite() -> Network:
    return networks(10, arch="tf_efficientnet_lite0", scratch=True)[0]


def test_it_climbs_to_the_largest_side_that_fits_and_int8_reaches_further() -> None:
    network = lite()
    limit = NS["openvino-bf16"] * network.madds(192) * 1.01
    found = options_of(network, 160, Budget(limit), list(NS), Predictor(Budget(limit)), device)
    best = max((one for one in found if one.fits and "int8" not in one.way), key=lambda one: one.image)
    assert (best.image, best.way) == (192, "openvino-bf16")
    int8 = max((one for one in found if one.fits and "int8" in one.way), key=lambda one: one.image)
    assert int8.way == "openvino-int8"
    assert int8.image == max(s for s in network.sides if NS["openvino-int8"] * network.madds(s) <= limit)
    assert all(one.measured_ms is not None and (one.measured_ms <= limit) == one.fits for one in found)


def test_where_everything_fits_the_largest_side_is_measured_and_no_int8() -> None:
    network = lite()
    found = options_of(network, 160, Budget(1e6), list(NS), Predictor(Budget(1e6)), device)
    assert max(one.image for one in found) == network.sides[-1]
    assert not any("int8" in one.way for one in found)


def test_files_that_are_too_large_in_float_are_tried_in_int8() -> None:
    network = lite()
    limit = Budget(size_mb=network.size("fp32") / 2e6)
    found = options_of(network, network.sides[-1], limit, list(NS), Predictor(limit), device)
    assert {one.way for one in found if one.fits} == {"openvino-int8"}
    assert any("MB of" in one.verdict for one in found if not one.fits)


def test_files_that_are_too_large_at_a_side_are_not_looked_at_at_others() -> None:
    network, budget = lite(), Budget(size_mb=1)
    found = options_of(network, network.sides[-1], budget, list(NS), Predictor(budget), device)
    assert {one.image for one in found} == {network.sides[-1]}
    assert not any(one.fits for one in found)


def test_a_device_that_is_slower_than_the_rule_of_three_is_stepped_down_on() -> None:
    network = lite()

    def cliff(arch: Arch, image: int, ways: Sequence[str], threads: int, memory: bool) -> dict[str, Measured]:
        slow = 4.0 if image > 128 else 1.0
        return {way: Measured(slow * one.latency_ms, one.size_bytes) for way, one in
                device(arch, image, ways, threads, memory).items()}  # fmt: skip

    limit = NS["onnx"] * network.madds(192)
    found = options_of(network, 128, Budget(limit), ["onnx"], Predictor(Budget(limit)), cliff)
    assert any(one.fits for one in found)
    assert len(found) <= promising.LOOKS


def test_networks_that_are_far_too_slow_are_not_measured() -> None:
    asked = list[str]()

    def noted(arch: Arch, image: int, ways: Sequence[str], threads: int, memory: bool) -> dict[str, Measured]:
        asked.append(arch.name)
        return device(arch, image, ways, threads, memory)

    budget, said = Budget(0.2, runtime="onnx"), list[str]()
    found = look_at_all(networks(10, scratch=True), 3000, budget, ["onnx"], noted, said.append)
    assert "resnet50" not in asked
    assert any(one.fits for one in found)
    assert len(said) == len(set(asked))
    assert any("from scratch" in line for line in said)


def test_a_prediction_comes_from_the_networks_measured_before() -> None:
    predictor, network = Predictor(Budget(1.0)), lite()
    assert predictor.ms(network, 128, "onnx") is None
    predictor.learn(network, 160, "onnx", device(network.arch, 160, ["onnx"], 1, False)["onnx"])
    assert predictor.ms(network, 128, "onnx") == pytest.approx(NS["onnx"] * network.madds(128))
    assert first_goals([network], Budget(1e-3), ["onnx"], predictor) == {}
    assert first_goals([network], Budget(1e3), ["onnx"], predictor)[network.name][1] == network.sides[-1]
    assert first_goals([network], Budget(size_mb=0.1), ["onnx"], predictor) == {}


def test_below_what_fits_all_fits() -> None:
    network, budget = lite(), Budget(1e6)
    found = options_of(network, 160, budget, ["onnx", "openvino-bf16"], Predictor(budget), device)
    more = between(network, found, 280)
    assert [one.image for one in more] == [272, 240]
    assert {one.way for one in more} == {"openvino-bf16"}
    assert all(one.fits and one.measured_ms is None and one.predicted_ms for one in more)
    assert between(network, [*found, *more], 280) == []


def test_the_nearest_is_the_one_that_is_least_over() -> None:
    network, budget = lite(), Budget(0.01, size_mb=100)
    found = options_of(network, 160, budget, ["onnx", "openvino-bf16"], Predictor(budget), device)
    near = nearest(found, budget)
    assert near is not None
    assert near.measured_ms == min(one.measured_ms or 0 for one in found)
    assert nearest([], budget) is None
    assert largest_side(network, budget, 96, 1.0) is None


MEMORY = {"onnx": 60, "openvino-bf16": 100}  # MB of a process before it loads anything


def heavy(arch: Arch, image: int, ways: Sequence[str], threads: int, memory: bool) -> dict[str, Measured]:
    """Memory as it was measured on ONNX Runtime and OpenVINO: most hangs on the runtime and the files, little on the side."""
    return {
        way: Measured(one.latency_ms, one.size_bytes, round(1e6 * MEMORY[way] + 3.2 * one.size_bytes + 100 * image**2))
        for way, one in device(arch, image, ways, threads, memory).items()
    }


def test_the_runtime_that_takes_less_memory_is_climbed_on_though_it_is_slower() -> None:
    network = lite()
    found = options_of(network, network.sides[-1], Budget(memory_mb=110), list(MEMORY), Predictor(Budget()), heavy)
    fits = [one for one in found if one.fits]
    assert {one.way for one in fits} == {"onnx"}
    assert network.sides[0] < max(one.image for one in fits) < network.sides[-1]
    assert len({one.image for one in found}) == promising.LOOKS


def test_memory_alone_begins_with_networks_that_may_fit_and_does_not_end_before_one_does() -> None:
    """Not with the largest of all, of which none fits; and not with nothing, because the first one is pretrained."""
    asked = list[str]()

    def noted(arch: Arch, image: int, ways: Sequence[str], threads: int, memory: bool) -> dict[str, Measured]:
        asked.append(arch.name)
        return heavy(arch, image, ways, threads, memory)

    candidates = [replace(one, tuned=one.name == "tf_efficientnet_lite0") for one in networks(10, scratch=True)]
    for budget in (Budget(memory_mb=75), Budget(memory_mb=75, minutes=3.0), Budget(memory_mb=69.5)):
        asked.clear()
        found = look_at_all(candidates, 300, budget, list(MEMORY), noted, lambda text: None)
        assert any(one.fits for one in found), budget
        assert not {"resnet50", "convnext_tiny", "efficientnetv2_b0"} & set(asked)
    asked.clear()
    budget = Budget(memory_mb=30)
    found = look_at_all(candidates, 300, budget, list(MEMORY), noted, lambda text: None)
    assert not any(one.fits for one in found)
    assert len(set(asked)) == 2, "the first, and the smallest, which says that nothing fits and what the nearest is"
    near = nearest(found, budget)
    assert near is not None
    assert near.memory_bytes == min(one.memory_bytes or 0 for one in found)
