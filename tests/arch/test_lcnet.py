from __future__ import annotations

import pytest

from linnet.arch.lcnet import ALIASES, ARCHS, DepthSepConv
from linnet.arch.names import find


def test_the_table_has_the_papers_thirteen_layers() -> None:
    layers = [layer for row, layer in find("lcnet_100").layers() if 1 <= row <= 6]
    assert [layer.cout for layer in layers] == [32, 64, 64, 128, 128, *[256] * 6, 512, 512]
    assert [layer.out_size[0] for layer in layers] == [112, 56, 56, 28, 28, *[14] * 6, 7, 7]
    kernels = [(layer.op.k, layer.op.se) for layer in layers if isinstance(layer.op, DepthSepConv)]
    assert kernels == [(3, False)] * 6 + [(5, False)] * 5 + [(5, True)] * 2


@pytest.mark.parametrize(
    ("name", "channels"),
    [
        ("lcnet_035", (8, 16, 24, 48, 88, 88, 176)),
        ("lcnet_050", (8, 16, 32, 64, 128, 128, 256)),
        ("lcnet_075", (16, 24, 48, 96, 192, 192, 384)),
        ("lcnet_150", (24, 48, 96, 192, 384, 384, 768)),
    ],
)
def test_widths_are_rounded_to_eight(name: str, channels: tuple[int, ...]) -> None:
    arch = find(name)
    assert tuple(s.channels for s in (*arch.stem, *arch.stages)) == channels
    assert arch.head == find("lcnet_100").head  # 1280 at every width


def test_aliases_lead_to_the_family() -> None:
    assert {find(alias).name for alias in ALIASES} == {arch.name for arch in ARCHS}
    assert find("PPLCNet_x0_35").name == find("PP-LCNet-0.35x").name == "lcnet_035"
