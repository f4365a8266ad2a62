from __future__ import annotations

import pytest

from linnet.arch.mobilenetv4 import ARCHS, MQA, UIB, mobilenetv4_conv_small, mobilenetv4_hybrid_medium
from linnet.arch.names import find
from linnet.arch.spec import Arch, Conv, Layer, Linear


def body(arch: Arch, reduction: int) -> list[Layer]:
    """The layers of the stages whose maps are `reduction` x smaller than the image."""
    stem, stages = len(arch.stem), len(arch.stem) + len(arch.stages)
    found = [layer for row, layer in arch.layers() if stem <= row < stages]
    return [layer for layer in found if arch.image // layer.out_size[0] == reduction]


def kind(layer: Layer) -> str:
    """As the paper calls the four forms of a UIB (Qin 2024, Figure 4), with its kernels."""
    if not isinstance(layer.op, UIB):
        return type(layer.op).__name__
    named = {(True, True): "ExtraDW", (True, False): "ConvNext", (False, True): "IB", (False, False): "FFN"}
    kernels = [str(k) for k in (layer.op.start, layer.op.mid) if k]
    return " ".join((named[bool(layer.op.start), bool(layer.op.mid)], *kernels))


# tensorflow/models official/vision/modeling/backbones/mobilenet.py, MNV4*_BLOCK_SPECS
@pytest.mark.parametrize(("name", "reduction", "kinds"), [
    ("mobilenetv4_conv_small", 4, ["Conv", "Conv"]),
    ("mobilenetv4_conv_small", 16, ["ExtraDW 5 5", *["IB 3"] * 4, "ConvNext 3"]),
    ("mobilenetv4_conv_small", 32, ["ExtraDW 3 3", "ExtraDW 5 5", "IB 5", "IB 5", "IB 3", "IB 3"]),
    ("mobilenetv4_conv_medium", 8, ["ExtraDW 3 5", "ExtraDW 3 3"]),
    ("mobilenetv4_conv_medium", 16, ["ExtraDW 3 5", "ExtraDW 3 3", "ExtraDW 3 3", "ExtraDW 3 5", "ExtraDW 3 3",
                                     "ConvNext 3", "FFN", "ConvNext 3"]),
    ("mobilenetv4_conv_medium", 32, ["ExtraDW 5 5", "ExtraDW 5 5", "ExtraDW 3 5", "ExtraDW 3 5", "FFN", "ConvNext 3",
                                     "ExtraDW 3 5", "ExtraDW 5 5", "FFN", "FFN", "ConvNext 5"]),
    ("mobilenetv4_conv_large", 16, ["ExtraDW 3 5", *["ExtraDW 3 3"] * 3, "ExtraDW 3 5", *["ExtraDW 5 3"] * 5,
                                    "ConvNext 3"]),
    ("mobilenetv4_conv_large", 32, [*["ExtraDW 5 5"] * 4, "ConvNext 5", "ExtraDW 5 3", "ConvNext 5", "ConvNext 5",
                                    "ExtraDW 5 3", "ExtraDW 5 5", *["ConvNext 5"] * 3]),
    ("mobilenetv4_hybrid_medium", 16, ["ExtraDW 3 5", "FFN", "ExtraDW 3 3", "ExtraDW 3 5",
                                       *["MQA", "ExtraDW 3 3", "MQA", "ConvNext 3"] * 2]),
    ("mobilenetv4_hybrid_medium", 32, ["ExtraDW 5 5", "ExtraDW 5 5", "ExtraDW 3 5", "ExtraDW 3 5", "FFN", "ExtraDW 3 5",
                                       "FFN", "FFN", "MQA", "ConvNext 3", "MQA", "ExtraDW 5 5",
                                       *["MQA", "ConvNext 5"] * 2]),
    ("mobilenetv4_hybrid_large", 16, ["ExtraDW 3 5", *["ExtraDW 3 3"] * 3, "ExtraDW 3 5", *["ExtraDW 5 3"] * 2,
                                      *["MQA", "ExtraDW 5 3"] * 3, "MQA", "ConvNext 3"]),
])  # fmt: skip
def test_rows_are_the_papers(name: str, reduction: int, kinds: list[str]) -> None:
    assert [kind(layer) for layer in body(find(name), reduction)] == kinds


@pytest.mark.parametrize("arch", ARCHS[:5], ids=lambda arch: arch.name)
def test_every_network_ends_alike(arch: Arch) -> None:
    assert [op.c for op in arch.head if isinstance(op, Conv | Linear)] == [960, 1280]
    assert [r for *_, r in arch.features()] == [2, 4, 8, 16, 32]
    assert arch.features()[-1][:2] == ("head.conv", 960)


@pytest.mark.parametrize("arch", ARCHS, ids=lambda arch: arch.name)
def test_hybrids_scale_their_layers_and_share_keys(arch: Arch) -> None:
    ops = [op for stage in arch.stages for op in stage.ops]
    hybrid = "hybrid" in arch.name
    assert {op.layer_scale for op in ops if isinstance(op, UIB)} == {hybrid}
    assert any(isinstance(op, MQA) for op in ops) is hybrid
    for layer in body(arch, 16):  # only the larger maps are shrunk
        assert not isinstance(layer.op, MQA) or layer.op.kv_stride == 2
    for layer in body(arch, 32):
        assert not isinstance(layer.op, MQA) or layer.op.kv_stride == 1


def test_narrow_networks_keep_the_stem_and_the_keys() -> None:
    narrow = find("mobilenetv4_hybrid_medium_075")
    assert narrow.stem == mobilenetv4_hybrid_medium.stem
    assert [stage.channels for stage in narrow.stages][:4] == [40, 64, 64, 120]  # 36 and 60 round up
    assert {op.key for stage in narrow.stages for op in stage.ops if isinstance(op, MQA)} == {64}
    assert mobilenetv4_conv_small.scaled(width=0.5).stem[0].channels == 16


@pytest.mark.parametrize("alias", ["MNv4-Conv-S", "MobileNetV4ConvSmall", "mobilenetv4_conv_small.e2400_r224_in1k"])
def test_the_papers_names_are_known(alias: str) -> None:
    assert find(alias) == mobilenetv4_conv_small
