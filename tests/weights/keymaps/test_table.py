from __future__ import annotations

import pytest

from linnet.arch.mobilenet import Bneck, MBConv
from linnet.arch.names import find
from linnet.weights.keymaps.mobile import GROUPS_V3
from linnet.weights.keymaps.table import Keys, Numbers, pattern, places, uses


def test_numbers_take_an_addition_and_a_factor() -> None:
    assert "{s7}.{s}.{b-1}".format_map(Numbers(s=2, b=3)) == "9.2.2"
    assert "{2s}.{2s1}.{10b-1}".format_map(Numbers(s=2, b=3)) == "4.5.29"
    with pytest.raises(KeyError):
        "{q1}".format_map(Numbers(s=2))


def test_a_pattern_takes_any_number() -> None:
    match = pattern("Encoder mlp.{n}").fullmatch("Encoder mlp.12")
    assert match
    assert match["n"] == "12"
    assert not pattern("Encoder mlp.{n}").fullmatch("Encoder mlpx12")


def test_groups_begin_with_a_stride_or_as_they_are_given() -> None:
    b0 = find("efficientnet_b0")
    found, whole = places(b0, Keys(uses(MBConv), {}))
    assert whole == {"stages": 7, "groups": 5, "blocks": 16}
    last = found["stages.6.0"].numbers
    assert (last["s"], last["b"], last["g"], last["i"], last["f"]) == (6, 0, 4, 4, 15)
    v3 = find("mobilenetv3_small_100")
    found, whole = places(v3, Keys(uses(Bneck), {}, groups=GROUPS_V3))
    assert whole["groups"] == 5
    assert found["stages.3.0"].numbers["g"] == 2
    assert found["stages.0.0"].kind == "Bneck"
