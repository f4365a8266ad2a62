from __future__ import annotations

import pytest

from linnet.arch.names import find
from linnet.arch.repvit import NormClassifier, RepDown, RepViT


@pytest.mark.parametrize(
    ("name", "channels", "blocks"),
    [
        ("repvit_m0_9", [48, 96, 192, 384], [2, 2, 14, 2]),
        ("repvit_m1_0", [56, 112, 224, 448], [2, 2, 14, 2]),
        ("repvit_m1_1", [64, 128, 256, 512], [2, 2, 12, 2]),
        ("repvit_m1_5", [64, 128, 256, 512], [4, 4, 24, 4]),
    ],
)
def test_rows_are_the_released_codes(name: str, channels: list[int], blocks: list[int]) -> None:
    arch = find(name)
    assert [(row.channels, row.stride) for row in arch.stem] == [(channels[0] // 2, 2), (channels[0], 2)]
    between, within = arch.stages[1::2], arch.stages[::2]
    assert [(row.channels, row.layers, row.stride) for row in within] == [
        (c, n, 1) for c, n in zip(channels, blocks, strict=True)
    ]
    assert [(row.channels, row.layers, row.stride) for row in between] == [(c, 1, 2) for c in channels[1:]]
    assert all(row.op == (RepViT(se=True), RepViT()) for row in within)
    assert all(row.op == RepDown() for row in between)
    assert arch.head[-1] == NormClassifier(heads=2)
    assert arch.source.endswith(name)
    assert [f[1:] for f in arch.features()] == list(zip(channels, (4, 8, 16, 32), strict=True))


def test_gates_stand_in_every_other_layer_of_a_row() -> None:
    arch = find("repvit_m1_5")
    gated = [layer.op.se for row, layer in arch.layers() if isinstance(layer.op, RepViT) and row == 6]
    assert gated == [True, False] * 12
    assert len(list(arch.layers())) == 2 + 4 + 1 + 4 + 1 + 24 + 1 + 4 + 3


def test_the_papers_spelling_is_accepted() -> None:
    assert find("RepViT-M0.9") is find("repvit_m0_9")
    assert find("repvit_m1_1.dist_450e_in1k") is find("repvit_m1_1")


def test_it_widens_and_deepens() -> None:
    arch = find("repvit_m0_9").scaled(width=0.5, depth=0.5)
    assert [(row.channels, row.layers) for row in arch.stages] == [
        (24, 1), (48, 1), (48, 1), (96, 1), (96, 7), (192, 1), (192, 1)]  # fmt: skip
