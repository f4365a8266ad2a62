from __future__ import annotations

import pytest

from linnet.arch.mobilenet import MBConv, SepConv
from linnet.arch.names import find
from linnet.arch.spec import Conv


@pytest.mark.parametrize(
    ("name", "layers", "gated"),
    [("semnasnet_100", [1, 2, 3, 4, 2, 3, 1], [2, 4, 5]), ("mnasnet_100", [1, 3, 3, 3, 2, 4, 1], []),
     ("mnasnet_small", [1, 1, 2, 4, 3, 3, 1], [3, 4, 5])],
)  # fmt: skip
def test_tables_are_the_papers(name: str, layers: list[int], gated: list[int]) -> None:
    arch = find(name)
    assert [stage.layers for stage in arch.stages] == layers
    assert [i for i, s in enumerate(arch.stages) if isinstance(s.op, MBConv) and s.op.se] == gated
    assert arch.stages[0].op == SepConv(k=3, linear=True)
    assert arch.style.act == "relu"


@pytest.mark.parametrize("name", ["semnasnet_035", "mnasnet_050", "mnasnet_140"])
def test_the_last_convolution_keeps_its_width(name: str) -> None:
    assert [op.c for op in find(name).head if isinstance(op, Conv)] == [1280]
