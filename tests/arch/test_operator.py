from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.arch.mobilenet import Bneck, MBConv
from linnet.arch.operator import Classifier, Conv, Layer, Linear, MaxPool, Norm, Operator, Pool, Style, shape
from linnet.errors import SettingError


def test_an_operator_reads_as_the_table_writes_it() -> None:
    assert str(MBConv(t=6, k=5, se=0.25)) == "MBConv(t=6, k=5, se=0.25)"
    assert str(Bneck(16, 3)) == "Bneck(exp=16, k=3)"
    assert (str(Conv()), str(Norm("batch"))) == ("Conv(k=3)", "Norm(norm=batch)")


def test_operators_are_values() -> None:
    assert MBConv(t=6) == MBConv(t=6.0)
    assert len({MBConv(t=6), MBConv(t=6), MBConv(t=3)}) == 2


def test_two_operators_of_one_name_are_refused() -> None:
    with pytest.raises(
        SettingError, match=r"Two operators are called MBConv \(linnet\.arch\.mobilenet and .*: rename one"
    ):

        @dataclass(frozen=True)
        class MBConv(Operator):
            pass

    assert Operator.known["MBConv"].__module__ == "linnet.arch.mobilenet"


def test_shapes_put_channels_where_torch_does() -> None:
    assert (shape(8, (4, 5)), shape(8, (20,)), shape(8, ())) == ((8, 4, 5), (20, 8), (8,))


@given(st.integers(1, 400), st.integers(1, 4), st.sampled_from((1, 3, 5, 7)))
def test_a_padded_convolution_keeps_the_size_over_the_stride(n: int, stride: int, k: int) -> None:
    padded = Conv(k=k, pad=k // 2)
    assert Conv(k=k).out_size((n, n), stride, 1) == padded.out_size((n, n), stride, 1) == (-(-n // stride),) * 2


def test_an_even_kernel_needs_a_pad() -> None:
    with pytest.raises(SettingError, match=r"Conv\(k=4\) has no middle to pad around: give it a pad"):
        Conv(k=4)
    assert Conv(k=4, pad=0).out_size((224, 224), 4, 1) == (56, 56)


def test_pools_round_as_they_say() -> None:
    assert MaxPool().out_size((112, 112), 2, 1) == (56, 56)
    assert MaxPool(pad=0).out_size((112, 112), 2, 1) == (55, 55)
    assert MaxPool(pad=0, ceil=True).out_size((112, 112), 2, 1) == (56, 56)
    assert Pool().out_size((7, 7), 1, 1) == ()
    assert Pool("token", tokens=2).out_size((198,), 1, 1) == (2,)
    assert Pool("flatten").out_channels(512, 0, (7, 6)) == 512 * 42


def test_head_rows_give_their_own_channels() -> None:
    assert Linear(1280).out_channels(960, 0, ()) == 1280
    assert Conv(1280, k=1).out_channels(320, 0, (7, 7)) == 1280
    assert Conv(1280, k=1).out_channels(320, 64, (7, 7)) == 64
    assert (Classifier(10).out_channels(320, 0, ()), Classifier(0).out_channels(320, 0, ())) == (10, 320)


def test_parts_are_named_where_an_operator_knows_them() -> None:
    layer = Layer(MBConv(t=6), 96, 160, 2, (14, 14), 1, Style())
    assert layer.op.part("expand", layer) == (576, (14, 14))
    assert layer.op.part("depthwise", layer) == (576, (7, 7))
    for op, role in ((MBConv(t=6), "middle"), (MBConv(t=1), "expand"), (Conv(), "expand")):
        with pytest.raises(SettingError, match=f"{type(op).__name__} offers no part '{role}'"):
            op.part(role, layer)
