from __future__ import annotations

import pytest

from linnet.arch.names import find
from linnet.arch.spec import Arch, Conv, Linear
from linnet.arch.vgg import BiasedConv, ResponseNorm
from linnet.cost.count import count


def sizes(arch: Arch, image: int | None = None) -> list[int]:
    """Sides of the maps, each once."""
    return list(dict.fromkeys(layer.out_size[0] for _, layer in arch.layers(image) if layer.out_size))


def test_vgg16_is_column_d() -> None:
    arch = find("vgg16")
    convs = [row.layers for row in (*arch.stem, *arch.stages) if isinstance(row.op, Conv)]
    assert convs == [2, 2, 3, 3, 3]
    assert sum(convs) + 3 == 16
    assert sizes(arch) == [224, 112, 56, 28, 14, 7]
    assert [op.c for op in arch.head if isinstance(op, Linear)] == [4096, 4096]


def test_vgg16_bn_is_the_same_with_norms() -> None:
    plain, normed = find("vgg16"), find("vgg16_bn")
    assert normed.style.norm == "batch"
    assert normed.head == plain.head
    assert normed.stages[1].op == BiasedConv(k=3)
    assert [(s.channels, s.layers, s.stride) for s in normed.stages] == [
        (s.channels, s.layers, s.stride) for s in plain.stages
    ]
    assert count(normed).total.params - count(plain).total.params == 2 * 4224  # the biases stay


def test_two_towers_meet_in_the_third_convolution() -> None:
    arch = find("alexnet_2012")
    convs = [row.op.groups for row in (*arch.stem, *arch.stages) if isinstance(row.op, Conv)]
    assert convs == [1, 2, 1, 2, 2]  # the first sees the image only: two towers of it are one convolution
    assert sizes(arch) == [55, 27, 13, 6]
    assert arch.stem[1].op == arch.stages[1].op == ResponseNorm(k=2, n=5, alpha=1e-4, beta=0.75)
    assert sizes(find("alexnet")) == sizes(arch)


def test_lenet5_is_figure_2() -> None:
    arch = find("lenet5")
    assert sizes(arch) == [28, 14, 10, 5, 1]
    assert arch.classes == 10
    # LeCun 1998, section II.B: C1 has 156 trained, C5 48,120, F6 10,164; C3 has 1,516 with its table of connections.
    rows = {row.name: row.params for row in count(arch, channels=1).rows}
    assert [rows[name] for name in ("stem.0", "stages.1", "stages.3", "head.linear")] == [156, 2_416, 48_120, 10_164]
    assert rows["head.classifier"] == 850


@pytest.mark.parametrize(
    ("name", "features"),
    [
        ("vgg16", [(64, 1), (128, 2), (256, 4), (512, 8), (512, 16), (512, 32)]),
        ("alexnet", [(64, 4), (192, 8), (256, 16), (256, 32)]),
        ("alexnet_2012", [(96, 4), (256, 8), (256, 16), (256, 32)]),
        ("lenet5", [(16, 2), (120, 4)]),
    ],
)
def test_features(name: str, features: list[tuple[int, int]]) -> None:
    assert [f[1:] for f in find(name).features()] == features


def test_a_head_of_linear_layers_does_not_depend_on_the_image() -> None:
    for name in ("vgg16", "alexnet", "alexnet_2012"):
        heads = [[row.params for row in count(find(name), image).rows[-6:]] for image in (96, 227, 256)]
        assert heads[0] == heads[1] == heads[2]
    # LeCun 1998, section II.B: with a larger input, C5's maps would be larger than 1 x 1.
    assert sizes(find("lenet5"), 40)[-1] == 3


def test_channels_of_lenet5_are_not_rounded_to_8() -> None:
    arch = find("lenet5").scaled(width=2)
    assert [row.channels for row in (*arch.stem, *arch.stages) if row.channels] == [12, 32, 240]


@pytest.mark.parametrize(("given", "name"), [("VGG-16", "vgg16"), ("LeNet", "lenet5"), ("LeNet-5", "lenet5")])
def test_other_spellings_are_accepted(given: str, name: str) -> None:
    assert find(given).name == name


def test_depth_repeats_convolutions_alone() -> None:
    deeper = find("alexnet_2012").scaled(depth=2)
    assert [stage.layers for stage in deeper.stages] == [2, 1, 1, 2, 2, 2, 1]
    assert [stage.layers for stage in find("lenet5").scaled(depth=2).stages] == [1, 2, 1, 2]
