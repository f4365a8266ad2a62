from __future__ import annotations

import pytest

from linnet.arch.densenet import Dense, Transition
from linnet.arch.names import find
from linnet.arch.spec import Arch
from linnet.errors import SettingError


def blocks(arch: Arch) -> list[tuple[int, int, int]]:
    """(growth, layers, channels at the end) of every dense block."""
    ends = {row: layer.cout for row, layer in arch.layers()}
    first = len(arch.stem)
    return [(s.op.growth, s.layers, ends[first + i]) for i, s in enumerate(arch.stages) if isinstance(s.op, Dense)]


@pytest.mark.parametrize(
    ("name", "growth", "layers", "channels"),
    [
        ("densenet121", 32, [6, 12, 24, 16], [256, 512, 1024, 1024]),
        ("densenet169", 32, [6, 12, 32, 32], [256, 512, 1280, 1664]),
        ("densenet201", 32, [6, 12, 48, 32], [256, 512, 1792, 1920]),
        ("densenet161", 48, [6, 12, 36, 24], [384, 768, 2112, 2208]),
    ],
)
def test_blocks_are_those_of_table_1(name: str, growth: int, layers: list[int], channels: list[int]) -> None:
    """The number in a name counts two convolutions a layer, the stem, three transitions and the classifier."""
    arch = find(name)
    assert blocks(arch) == [(growth, n, c) for n, c in zip(layers, channels, strict=True)]
    assert arch.stem[0].channels == 2 * growth
    assert name == f"densenet{2 * sum(layers) + 1 + 3 + 1}"


def test_sizes_are_those_of_table_1() -> None:
    sizes = [layer.out_size[0] for _, layer in find("densenet121").layers() if layer.out_size]
    assert list(dict.fromkeys(sizes)) == [112, 56, 28, 14, 7]
    odd = [layer.out_size for _, layer in find("densenet121").layers((97, 75)) if layer.out_size]
    assert list(dict.fromkeys(odd)) == [(49, 38), (25, 19), (12, 9), (6, 4), (3, 2)]  # a transition drops odd pixels


def test_features_are_what_the_transitions_see_and_the_normed_end() -> None:
    names = [name for name, *_ in find("densenet121").features()]
    assert names == ["stem.0", "stages.0", "stages.2", "stages.4", "head.norm"]


def test_growth_follows_the_width_and_not_the_depth() -> None:
    arch = find("densenet121")
    assert blocks(arch.scaled(width=0.5)) == [(16, 6, 128), (16, 12, 256), (16, 24, 512), (16, 16, 512)]
    deeper = arch.scaled(depth=2)
    assert [(growth, n) for growth, n, _ in blocks(deeper)] == [(32, 12), (32, 24), (32, 48), (32, 32)]
    assert [s.layers for s in deeper.stages if isinstance(s.op, Transition)] == [1] * 3


def test_a_layer_that_adds_nothing_is_refused() -> None:
    with pytest.raises(SettingError, match=r"Dense\(growth=0\) adds nothing: give the channels"):
        Dense(growth=0)


def test_other_spellings_are_accepted() -> None:
    assert find("DenseNet-121").name == find("tv_densenet121").name == "densenet121"
    assert find("DenseNet201").name == "densenet201"
