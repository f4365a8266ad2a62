from __future__ import annotations

import json

import pytest

from linnet.arch.mobilenet import SepConv
from linnet.arch.spec import Conv
from linnet.cost.arithmetic import cost_of, operator_from
from linnet.errors import SettingError


def test_a_separable_convolution_beside_a_plain_one() -> None:
    """Howard 2017, section 3.1: k k M F F + M N F F against k k M N F F."""
    found = cost_of("SepConv(k=3)", 32, 64, image=112)
    own, plain, other = (c for _, c in found.rows)
    assert own.madds == 112 * 112 * (9 * 32 + 32 * 64)
    assert plain.madds == 112 * 112 * 9 * 32 * 64
    assert other.madds == 112 * 112 * (32 * 64 + 9 * 64)
    assert own.params == 9 * 32 + 2 * 32 + 32 * 64 + 2 * 64
    assert "SepConv(k=3): 32x112x112 -> 64x112x112" in str(found)


def test_five_by_five_beside_two_three_by_three() -> None:
    (_, five), (what, two) = cost_of("Conv(k=5)", 64, 64, image=28).rows
    assert what == "two Conv(k=3)"
    assert (five.madds, two.madds) == (25 * 64 * 64 * 28 * 28, 18 * 64 * 64 * 28 * 28)


def test_the_share_of_squeeze_and_excitation() -> None:
    """Hu 2018: two layers of C and C r numbers; here with their biases."""
    rows = dict(cost_of("MBConv(t=6, k=3, se=0.25)", 40, 40, image=14).rows)
    with_it, without = rows["MBConv(t=6, k=3, se=0.25)"], rows["the same without squeeze-and-excitation"]
    assert with_it.params - without.params == 2 * 240 * 10 + 240 + 10
    assert with_it.madds - without.madds == 2 * 240 * 10


@pytest.mark.parametrize(
    "text", ["MaxPool(k=2, pad=0)", "ResponseNorm", "ResponseNorm(k=3.0)", "Conv(k=2, pad=0)", "Norm"]
)
def test_without_an_odd_kernel_there_is_nothing_plain_beside_it(text: str) -> None:
    found = cost_of(text, 64, 64)
    assert [what for what, _ in found.rows] == [str(found.layer.op)]
    assert str(found)


def test_comparisons_are_rows_and_no_sum() -> None:
    lines = str(cost_of("SepConv(k=3)", 32, 64, image=112)).splitlines()
    assert lines[-2].startswith("---")
    assert lines[-3].startswith("Xception's order")
    assert [line.split()[-1] for line in lines[4:-2]] == ["1.00", "7.89", "1.12"]
    assert {len(line) for line in lines[3:-1]} == {len(lines[1])}  # numbers stand right


def test_an_operator_is_read_as_it_is_written() -> None:
    assert operator_from("SepConv") == SepConv()
    assert operator_from(" Conv(k=5, groups=2) ") == Conv(k=5, groups=2)
    for op in (SepConv(k=5), Conv(k=1)):
        assert operator_from(str(op)) == op


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SepConf(k=3)", "Did you mean 'SepConv'"),
        ("SepConv(3)", "is no operator"),
        ("SepConv(k=three)", "is no operator"),
        ("SepConv(q=3)", "is not known"),
        ("__import__('os').system('true')", "is no operator"),
        ("SepConv(k=__import__('os'))", "is no operator"),
        ("((((", "is no operator"),
    ],
)
def test_what_is_no_operator_is_refused_and_never_run(text: str, said: str) -> None:
    with pytest.raises(SettingError, match=said):
        operator_from(text)


def test_numbers_are_checked_and_json_holds_them_all() -> None:
    with pytest.raises(SettingError, match="it is for tokens"):
        cost_of("Encoder(heads=3)", 192, 192)
    with pytest.raises(SettingError, match="cin is 0"):
        cost_of("Conv", 0, 8)
    found = json.loads(json.dumps(cost_of("Conv(k=3)", 3, 8, image=32, stride=2).to_json()))
    assert found["output"] == [8, 16, 16]
    assert found["rows"][0]["madds"] == 16 * 16 * 9 * 3 * 8
