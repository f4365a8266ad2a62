from __future__ import annotations

import pytest

from linnet.arch.names import find
from linnet.arch.resnet import ARCHS, BasicBlock, Bottleneck
from linnet.arch.spec import Arch, Layer


def layers_of(arch: Arch, row: str, output_stride: int = 0) -> list[Layer]:
    at = arch.row_names.index(row)
    return [layer for i, layer in arch.layers(output_stride=output_stride) if i == at]


@pytest.mark.parametrize(
    ("name", "layers", "weighted"),
    [("resnet18", [2, 2, 2, 2], 18), ("resnet34", [3, 4, 6, 3], 34), ("resnet50", [3, 4, 6, 3], 50),
     ("resnet101", [3, 4, 23, 3], 101), ("resnet152", [3, 8, 36, 3], 152)],
)  # fmt: skip
def test_the_name_says_how_many_layers_have_weights(name: str, layers: list[int], weighted: int) -> None:
    arch = find(name)
    assert [stage.layers for stage in arch.stages] == layers
    each = 2 if isinstance(arch.stages[0].op, BasicBlock) else 3
    assert 1 + each * sum(layers) + 1 == weighted


@pytest.mark.parametrize("arch", ARCHS, ids=lambda arch: arch.name)
def test_maps_have_the_papers_sizes(arch: Arch) -> None:
    sizes = [layer.out_size[0] for _, layer in arch.layers() if layer.out_size]
    assert list(dict.fromkeys(sizes)) == [112, 56, 28, 14, 7]
    ends = (64, 128, 256, 512) if isinstance(arch.stages[0].op, BasicBlock) else (256, 512, 1024, 2048)
    assert [tuple(f[1:]) for f in arch.features()] == [(64, 2), *zip(ends, (4, 8, 16, 32), strict=True)]


def test_a_group_is_as_wide_as_resnext_says() -> None:
    arch = find("resnext50_32x4d")
    inner = [stage.op.inner(stage.channels) for stage in arch.stages if isinstance(stage.op, Bottleneck)]
    assert inner == [128, 256, 512, 1024]  # Xie 2017, Table 1
    wide = [
        stage.op.inner(stage.channels) for stage in arch.scaled(width=0.3).stages if isinstance(stage.op, Bottleneck)
    ]
    assert all(c % 32 == 0 for c in wide)
    assert Bottleneck().inner(2048) == 512


def test_resnet_d_has_three_small_kernels_and_pools_where_it_strides() -> None:
    arch = find("resnet50d")
    assert [(layer.cout, layer.stride) for row, layer in arch.layers() if row < 2] == [(32, 2), (32, 1), (64, 1)]
    assert [stage.op.pooled for stage in arch.stages if isinstance(stage.op, Bottleneck)] == [False, True, True, True]


def test_strides_turn_into_dilation() -> None:
    arch = find("resnet50")
    assert [layer.dilation for layer in layers_of(arch, "stages.2", output_stride=8)] == [1, 2, 2, 2, 2, 2]
    assert [layer.dilation for layer in layers_of(arch, "stages.3", output_stride=8)] == [2, 4, 4]
    assert arch.features(output_stride=8)[-1] == ("stages.3", 2048, 8)


@pytest.mark.parametrize(
    ("given", "name"),
    [("ResNet-50", "resnet50"), ("resnet50.a1_in1k", "resnet50"), ("SE-ResNet-50", "seresnet50"),
     ("ResNeXt-50-32x4d", "resnext50_32x4d"), ("resnet50-D", "resnet50d")],
)  # fmt: skip
def test_other_spellings_are_accepted(given: str, name: str) -> None:
    assert find(given).name == name
