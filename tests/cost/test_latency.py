from __future__ import annotations

import json

import numpy as np
import pytest

from linnet.arch.names import find
from linnet.arch.spec import Arch
from linnet.cost.latency import (
    ENOUGH,
    UNCHECKED,
    Block,
    Correction,
    LatencyTable,
    Whole,
    block_key,
    fitted,
    left_out,
)
from linnet.errors import SettingError, WeightsError


def timed(*archs: Arch, ms: float = 0.1) -> LatencyTable:
    """A table in which every block takes the same."""
    blocks = {block_key(layer): Block(ms, 3) for arch in archs for _, layer in arch.layers()}
    return LatencyTable("onnx", 2, {"processor": "a machine"}, 0.2, blocks)


def test_a_network_takes_the_sum_of_its_blocks() -> None:
    arch = find("mobilenetv2_100")
    found = timed(arch).predict(arch)
    n = len(list(arch.layers()))
    assert found.ms == pytest.approx(0.1 * n)
    assert (found.low, found.high) == pytest.approx((0.1 * n * (1 - UNCHECKED), 0.1 * n * (1 + UNCHECKED)))


def test_networks_share_blocks_and_what_does_not_change_the_time_makes_no_other_block() -> None:
    one, other = find("efficientnet_b0"), find("efficientnet_b0").styled("other", eps=1e-3, momentum=0.01)
    assert timed(one).missing(layer for _, layer in other.layers()) == []
    padded = [layer for _, layer in find("efficientnet_b0").styled("tf", pad="same").layers()]
    missing = timed(one).missing(padded)
    assert missing
    assert len(missing) == len({block_key(layer) for layer in padded}), "each block once, however often it stands there"


def test_another_image_size_has_other_blocks() -> None:
    arch = find("mobilenetv3_small_100")
    with pytest.raises(SettingError, match=r"mobilenetv3_small_100: \d+ of its blocks are not in the table of onnx"):
        timed(arch).predict(arch, 160)


def wholes(correction: Correction, n: int = 30, noise: float = 0.0) -> list[Whole]:
    rng = np.random.default_rng(0)
    found = []
    for i in range(n):
        ms, nodes = float(rng.uniform(0.5, 30)), int(rng.integers(20, 300))
        took = correction.whole(ms, nodes) * (1 + noise * float(rng.standard_normal()))
        found.append(Whole(f"net{i}", 224, ms, nodes, took))
    return found


def test_the_correction_finds_what_the_sum_misses() -> None:
    found = fitted(wholes(Correction(1.1, 0.002, 0.05)))
    assert found.factor == pytest.approx(1.1, abs=0.01)
    assert found.per_node == pytest.approx(0.002, rel=0.1)
    assert fitted([]) == Correction()
    one = fitted([Whole("net", 224, 1.0, 100, 5.0)])
    assert one.whole(1.0, 100) == pytest.approx(5.0, rel=0.05), "even one network moves it"


def test_errors_are_of_networks_that_the_correction_has_not_seen() -> None:
    noisy = wholes(Correction(1.0, 0.001, 0.02), noise=0.05)
    errors = left_out(noisy)
    assert 0.02 < float(np.median(np.abs(errors))) < 0.06
    strange = [*wholes(Correction(), n=9), Whole("strange", 224, 1.0, 50, 2.0)]
    assert abs(left_out(strange)[-1]) == pytest.approx(0.5, abs=0.02), "it cannot excuse itself"


def test_the_error_is_what_nine_of_ten_stay_within_once_enough_were_measured() -> None:
    arch = find("mobilenetv2_100")
    table = timed(arch)
    for whole in wholes(Correction(), n=ENOUGH - 1):
        table = table.with_whole(whole)
    assert table.error == UNCHECKED
    table = table.with_whole(Whole("one more", 224, 2.0, 40, 2.1))
    assert table.error == pytest.approx(float(np.percentile(np.abs(table.errors), 90)))
    again = table.with_whole(Whole("one more", 224, 2.0, 40, 2.2))
    assert len(again.wholes) == ENOUGH, "a network measured again takes its own place"


def test_a_table_is_written_and_read() -> None:
    table = timed(find("mobilenetv3_small_100")).with_whole(Whole("net", 224, 1.5, 40, 1.75))
    assert LatencyTable.from_json(json.loads(json.dumps(table.to_json()))) == table


@pytest.mark.parametrize("value", [{}, [], {"schema": 99}, {"schema": 1, "way": "onnx", "threads": "x"}, None])
def test_what_is_no_table_is_refused(value: object) -> None:
    with pytest.raises(WeightsError, match="no latency table"):
        LatencyTable.from_json(value)  # type: ignore[arg-type]
