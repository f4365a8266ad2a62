"""The table contract holds for the awkward networks, at reduced width."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor, nn

from linnet.arch.densenet import Dense
from linnet.arch.names import find
from linnet.arch.spec import Arch, Layer, Linear
from linnet.cost.count import count
from linnet.nn.build import build
from linnet.nn.conv import DropPath, SqueezeExcite
from linnet.nn.net import Net, set_regularisation


@dataclass(frozen=True)
class Wall:
    """`params` of the full network: timm's or torchvision's, or the paper's code's (shared/facts) where they lack it."""

    arch: Arch
    params: int
    features: tuple[tuple[int, int], ...]  # (channels, reduction)
    width: float  # of the reduced network
    image: int | tuple[int, int]
    key: str  # one name that its state dict has
    output_stride: int = 0

    def reduced(self) -> Arch:
        side = self.image if isinstance(self.image, int) else None
        arch = self.arch.scaled(width=self.width, image=side).with_classes(10)
        return replace(arch, head=tuple(replace(op, c=32) if isinstance(op, Linear) else op for op in arch.head))


# fmt: off
WALLS = [Wall(*row) for row in (  # params, features, width and image of the reduced network
    (find("densenet121"), 7_978_856, ((64, 2), (256, 4), (512, 8), (1024, 16), (1024, 32)), .25, 64,
     "stages.0.3.squeeze.norm.weight"),
    (find("inception_v3"), 23_834_568, ((64, 2), (192, 4), (288, 8), (768, 16), (2048, 32)), .25, 107,
     "stages.0.0.1.1.weight"),
    (find("nasnetamobile"), 5_289_978, ((32, 2), (44, 4), (264, 8), (528, 16), (1056, 32)), .1, 64,
     "stages.0.0.reduce_1.left.0.pointwise1.weight"),
    (find("shufflenet_v1_g3"), 1_865_728, ((24, 2), (24, 4), (240, 8), (480, 16), (960, 32)), .25, 64,
     "stages.2.7.project.norm.weight"),
    (find("swinv2_tiny_window8_256"), 28_347_154, ((96, 4), (192, 8), (384, 16), (768, 32)), 1 / 3, 96,
     "stages.1.0.merge.reduce.weight"),
    (find("deit_tiny_distilled_patch16_224"), 5_910_800, ((192, 16),), 1 / 3, 48,
     "head.classifier.1.bias"),
    (find("mobilenetv4_hybrid_medium"), 11_074_648, ((32, 2), (48, 4), (80, 8), (160, 16), (960, 32)), .25, 64,
     "stages.7.0.shrink_key.norm.weight"),
    (find("repvit_m1_0"), 7_302_796, ((56, 4), (112, 8), (224, 16), (448, 32)), .25, 64,
     "stages.0.0.gate.reduce.weight"),
    (find("efficientvit_b0"), 3_410_008, ((16, 4), (32, 8), (64, 16), (128, 32)), .5, 64,
     "stages.3.1.attention.aggregate.0.weight"),
    (find("squeezenet1_1"), 1_235_496, ((64, 2), (128, 4), (256, 8), (512, 16)), .25, 64,
     "head.convclassifier.weight"),
    (find("vgg16"), 138_357_544, ((64, 1), (128, 2), (256, 4), (512, 8), (512, 16), (512, 32)), .125, 64,
     "head.linear3.0.weight"),
    (find("alexnet"), 61_100_840, ((64, 4), (192, 8), (256, 16), (256, 32)), .25, 96,
     "stages.3.1.weight"),
    (find("resnet50"), 25_557_032, ((64, 2), (256, 4), (2048, 8)), .125, 64,
     "stages.3.0.shortcut.norm.running_mean", 8),
    (find("mobilevit_s"), 5_578_632, ((32, 2), (64, 4), (96, 8), (128, 16), (640, 32)), .25, 224,
     "stages.7.0.encoder.2.norm1.weight"),
    (find("efficientnet_b0"), 5_288_548, ((16, 2), (24, 4), (40, 8), (112, 16), (320, 32)), .25, (320, 192),
     "stages.3.0.depthwise.weight"),
)]
# fmt: on


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Small tensors wait for threads longer than they compute, above all beside other work."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


every_wall = pytest.mark.parametrize("wall", WALLS, ids=lambda wall: wall.arch.name)


def small(wall: Wall) -> tuple[Net, Tensor]:
    """The reduced network, in evaluation, and two images for it."""
    torch.manual_seed(0)
    h, w = (wall.image, wall.image) if isinstance(wall.image, int) else wall.image
    return build(wall.reduced(), output_stride=wall.output_stride).eval(), torch.randn(2, 3, h, w)


def assert_promised_shapes(net: Net, x: Tensor) -> None:
    """Run `x` through the network layer by layer; each must give what its `Layer.output_shape` says."""
    rows = [*net.stem, *net.stages, *([row] for row in net.head)]
    modules = [module for row in rows for module in row]
    layers = list(net.arch.layers(tuple(x.shape[2:]), output_stride=net.output_stride))
    for module, (row, layer) in zip(modules, layers, strict=True):
        assert tuple(x.shape[1:]) == layer.input_shape
        x = module(x)
        assert tuple(x.shape[1:]) == layer.output_shape, f"{net.arch.row_names[row]}: {layer}"


@every_wall
@torch.no_grad()
def test_every_layer_gives_its_promised_shape(wall: Wall) -> None:
    assert_promised_shapes(*small(wall))


@every_wall
@torch.no_grad()
def test_the_full_table_has_the_references_parameters_and_promised_shapes(wall: Wall) -> None:
    with torch.device("meta"):
        net = build(wall.arch, output_stride=wall.output_stride).eval()
        assert_promised_shapes(net, torch.empty(1, 3, wall.arch.image, wall.arch.image))
    assert sum(p.numel() for p in net.parameters()) == wall.params
    assert count(wall.arch).total.params == wall.params


@every_wall
@torch.no_grad()
def test_features_are_what_feature_info_promises(wall: Wall) -> None:
    assert tuple(f[1:] for f in wall.arch.features(output_stride=wall.output_stride)) == wall.features
    net, x = small(wall)
    assert [f.reduction for f in net.feature_info] == [reduction for _, reduction in wall.features]
    maps = net.features(x)
    for info, y in zip(net.feature_info, maps, strict=True):
        assert (y.ndim, y.shape[1]) == (4, info.channels)
        for side, given in zip(y.shape[2:], x.shape[2:], strict=True):
            # Valid convolutions and pools that round lose some pixels.
            assert -(-given // info.reduction) - 4 <= side <= given // info.reduction + 1
    last = net.features(x, strides=[wall.features[-1][1]])
    torch.testing.assert_close(last, maps[-1:])


@every_wall
def test_json_gives_an_equal_table_back(wall: Wall) -> None:
    text = json.dumps(wall.arch.to_json())
    again = Arch.from_json(json.loads(text))
    assert again == wall.arch
    assert hash(again) == hash(wall.arch)
    assert json.dumps(again.to_json()) == text


@every_wall
def test_scaling_by_one_changes_nothing(wall: Wall) -> None:
    assert wall.arch.scaled(width=1, depth=1) == wall.arch
    deeper, wider = wall.arch.scaled(depth=2), wall.arch.scaled(width=2)
    assert len(list(deeper.layers())) > len(list(wall.arch.layers())) or wall.arch.name == "nasnetamobile"
    assert wider.features()[-1][1] > wall.arch.features()[-1][1]


@every_wall
@torch.no_grad()
def test_logits_of_an_image_do_not_depend_on_its_batch(wall: Wall) -> None:
    net, x = small(wall)
    logits = net(x)
    assert logits.shape == (2, 10)
    assert logits.isfinite().all()
    torch.testing.assert_close(net(x[1:]), logits[1:], rtol=1e-3, atol=1e-4 * logits.abs().max().item())
    assert not torch.equal(logits[0], logits[1])


@every_wall
def test_every_parameter_learns(wall: Wall) -> None:
    net, x = small(wall)
    set_regularisation(net.train(), dropout=0.1, drop_path=0.2)
    net(x).square().sum().backward()
    assert [name for name, p in net.named_parameters() if p.grad is None] == []
    stem, body = len(net.arch.stem), len(net.arch.stem) + len(net.arch.stages)
    ops = [layer.op for row, layer in net.arch.layers() if stem <= row < body]
    units = [block for block, op in zip((b for row in net.stages for b in row), ops, strict=True) if op.units]
    for i, block in enumerate(units):
        rates = [m.rate for m in block.modules() if isinstance(m, DropPath)]
        assert rates == [pytest.approx(0.2 * i / len(units))] * len(rates)


@every_wall
def test_state_dict_is_named_by_row_layer_and_role(wall: Wall) -> None:
    net, _ = small(wall)
    keys = net.state_dict().keys()
    assert wall.key in keys
    heads = "|".join(name for name in net.arch.row_names if name.startswith("head."))
    pattern = re.compile(rf"(stem|stages)\.\d+\.\d+\.[\w.]+|({heads})\.[\w.]+")
    assert [key for key in keys if not pattern.fullmatch(key)] == []


@every_wall
@torch.no_grad()
def test_the_classifier_can_be_taken_off_and_renewed(wall: Wall) -> None:
    net, x = small(wall)
    per_image = (2, 2) if "distilled" in wall.arch.name else (2,)  # a classifier per token
    assert net.forward_head(net.forward_features(x), pre_logits=True).shape == (*per_image, net.num_features)
    net.reset_classifier(7)
    assert net(x).shape == (2, 7)
    assert net.arch == wall.reduced().with_classes(7)
    net.reset_classifier(0)
    assert net(x).shape == (*per_image, net.num_features)
    assert not list(net.get_classifier().parameters())


# -- what is awkward about each ------------------------------------------------------------------------------------
def layers_of(arch: Arch, row: str, image: int | None = None, output_stride: int = 0) -> list[Layer]:
    at = arch.row_names.index(row)
    return [layer for i, layer in arch.layers(image, output_stride=output_stride) if i == at]


def test_densenet_grows_and_its_transitions_halve() -> None:
    assert [layer.cout for layer in layers_of(find("densenet121"), "stages.0")] == [96, 128, 160, 192, 224, 256]
    (transition,) = layers_of(find("densenet121"), "stages.1")
    assert (transition.cout, transition.out_size) == (128, (28, 28))
    # Twice as deep is not twice as fast in growth: the ratio of widths is not the ratio of depths.
    assert find("densenet121").scaled(depth=2).stages[2].op == Dense(growth=32)
    assert find("densenet121").scaled(width=2).stages[2].op == Dense(growth=64)


def test_inception_loses_the_pixels_that_the_paper_says() -> None:
    sizes = [layer.out_size[0] for _, layer in find("inception_v3").layers() if layer.out_size]
    assert list(dict.fromkeys(sizes)) == [149, 147, 73, 71, 35, 17, 8]
    # At 75 pixels the last maps are 7, 3 and 1: the reductions are those of the network all the same.
    assert [r for *_, r in find("inception_v3").features(75)] == [2, 4, 8, 16, 32]


def test_shufflenet_concatenates_where_it_strides() -> None:
    net, _ = small(WALLS[3])
    first, second = net.stages[0][0], net.stages[1][0]
    assert first.project.out_channels == 60 - 12
    assert (first.squeeze.groups, second.squeeze.groups, second.project.out_channels) == (1, 3, 60)


def test_swin_turns_plain_and_shifted_windows() -> None:
    net = build(find("swinv2_tiny_window8_256").scaled(width=1 / 3))
    assert [layer.attention.shift for layer in net.stages[2]] == [(0, 0), (4, 4)] * 3
    assert [layer.attention.shift for layer in net.stages[3]] == [(0, 0)] * 2  # a window covers the map


def test_distilled_deit_averages_two_classifiers_and_gives_maps() -> None:
    net, x = small(WALLS[5])
    a, b = net.get_classifier()
    with torch.no_grad():
        tokens = net.forward_head(net.forward_features(x), pre_logits=True)
        torch.testing.assert_close(net(x), (a(tokens[:, 0]) + b(tokens[:, 1])) / 2)
        (map_,) = net.features(x)
        inner = net.stages(net.stem(x))
    torch.testing.assert_close(map_[:, :, 1, 2], inner[:, 2 + 1 * 3 + 2])


def test_a_tap_may_be_a_layer_of_tokens() -> None:
    arch = replace(WALLS[5].reduced(), taps=("stages.0.3", "stages.0.11"))
    net = build(arch).eval()
    x = torch.randn(1, 3, 48, 48)
    with torch.no_grad():
        shapes = [tuple(y.shape) for y in net.features(x)]
    assert shapes == [(1, 64, 3, 3)] * 2
    assert [tuple(f) for f in net.feature_info] == [("stages.0.3", 64, 16), ("stages.0.11", 64, 16)]


def test_mobilenetv4_shares_keys_and_shrinks_them() -> None:
    net, _ = small(WALLS[6])
    attention = net.stages[7][0]
    assert attention.query.out_channels == 4 * attention.key.out_channels
    assert attention.shrink_key.stride == (2, 2)
    assert isinstance(net.stages[15][0].shrink_key, nn.Identity)


def test_repvit_gates_every_other_block() -> None:
    net, _ = small(WALLS[7])
    assert [isinstance(block.gate, SqueezeExcite) for block in net.stages[4]] == [True, False] * 7


@torch.no_grad()
def test_efficientvit_attends_over_the_whole_map() -> None:
    net, _ = small(WALLS[8])
    attention = net.stages[3][0].attention
    nn.init.ones_(attention.project.norm.weight)  # it starts at zero
    x = torch.randn(1, 32, 16, 16)
    y = x.clone()
    y[..., 15, 15] += 1
    assert not torch.equal(attention(x)[..., 0, 0], attention(y)[..., 0, 0])


@torch.no_grad()
def test_squeezenet_classifies_every_pixel_before_it_pools() -> None:
    assert [layer.out_size[0] for layer in layers_of(find("squeezenet1_1"), "stages.1")] == [27]
    net, x = small(WALLS[9])
    features = net.forward_features(x)
    assert features.shape[1] == net.num_features
    logits = net.get_classifier()(features)
    torch.testing.assert_close(net(x), logits.mean((2, 3)))


def test_head_rows_of_one_operator_are_told_apart() -> None:
    assert find("vgg16").row_names[-6:] == ("head.gridpool", "head.linear1", "head.dropout2", "head.linear3", "head.dropout4",
                                        "head.classifier")  # fmt: skip
    (pool,) = layers_of(find("vgg16"), "head.gridpool")
    assert pool.output_shape == (512 * 7 * 7,)
    assert [layer.out_size[0] for layer in layers_of(find("alexnet"), "stem.0")] == [55]


@torch.no_grad()
def test_resnet_keeps_its_map_at_output_stride_8() -> None:
    dilations = [layer.dilation for layer in layers_of(find("resnet50"), "stages.2", output_stride=8)]
    assert dilations == [1, 2, 2, 2, 2, 2]
    assert [layer.dilation for layer in layers_of(find("resnet50"), "stages.3", output_stride=8)] == [2, 4, 4]
    net, x = small(WALLS[12])
    assert net.features(x)[-1].shape[2:] == (8, 8)
    # The weights are the same ones.
    assert build(net.arch).state_dict().keys() == net.state_dict().keys()


@torch.no_grad()
def test_mobilevit_takes_a_map_that_patches_do_not_divide() -> None:
    net, x = small(WALLS[13])
    block = net.stages[7][0]
    map_ = net.stages[:7](net.stem(x))
    assert map_.shape[2:] == (7, 7)
    assert block(map_).shape == map_.shape
    # Where they divide, patches come back to their places: with nothing done in between, folding undoes unfolding.
    block.encoder, block.norm, block.project = nn.Identity(), nn.Identity(), nn.Identity()
    block.fuse = nn.Identity()
    even = torch.randn(2, map_.shape[1], 6, 4)
    torch.testing.assert_close(block(even)[:, map_.shape[1] :], block.embed(block.local(even)))


@torch.no_grad()
def test_an_image_need_not_be_square() -> None:
    net, x = small(WALLS[14])
    assert [tuple(y.shape[2:]) for y in net.features(x)] == [(160, 96), (80, 48), (40, 24), (20, 12), (10, 6)]


@torch.no_grad()
def test_features_may_come_from_inside_a_row() -> None:
    """SSDLite reads MobileNetV2's expansion in the first layer with stride 32, before the stride."""
    arch = replace(
        find("mobilenetv2_100").scaled(width=0.25), taps=("stages.5.0.expand", "stages.5.0.depthwise", "head.conv")
    )
    net = build(arch).eval()
    assert [tuple(f[1:]) for f in net.feature_info] == [(6 * 24, 16), (6 * 24, 32), (1280, 32)]
    maps = net.features(torch.randn(1, 3, 64, 64))
    assert [tuple(y.shape[1:]) for y in maps] == [(144, 4, 4), (144, 2, 2), (1280, 2, 2)]
