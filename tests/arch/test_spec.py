from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.arch.mobilenet import MBConv
from linnet.arch.names import find, known
from linnet.arch.spec import Arch, Classifier, Conv, Dropout, Linear, Norm, Pool, Stage
from linnet.arch.vit import Patchify
from linnet.errors import SettingError

b0 = find("efficientnet_b0")
names = st.sampled_from(sorted(known()))


def whole(arch: Arch, side: int) -> int:
    """The side that whole patches fill, at least one, for a network that takes no other."""
    patch = next((s.stride for s in arch.stem if isinstance(s.op, Patchify) and not s.op.ragged), 1)
    return max(side // patch, 1) * patch


@given(names, st.floats(0.2, 3), st.floats(0.5, 3), st.integers(32, 800), st.integers(0, 5000))
@settings(max_examples=60, deadline=None)
def test_json_gives_an_equal_table_back(name: str, width: float, depth: float, image: int, classes: int) -> None:
    image = whole(find(name), image)
    arch = find(name).scaled("mine", width=width, depth=depth, image=image).with_classes(classes)
    again = Arch.from_json(json.loads(json.dumps(arch.to_json())))
    assert again == arch
    assert hash(again) == hash(arch)
    assert list(again.layers()) == list(arch.layers())


@given(names, st.integers(32, 1024), st.integers(32, 1024))
@settings(max_examples=60, deadline=None)
def test_a_row_takes_its_stride_once_and_hands_on_what_it_gives(name: str, h: int, w: int) -> None:
    arch, before = find(name), None
    h, w = whole(arch, h), whole(arch, w)
    for row, layer in arch.layers((h, w)):
        if before is None:
            assert layer.input_shape == (3, h, w)
        else:
            assert layer.input_shape == before[1].output_shape
        first = before is None or before[0] != row
        assert layer.stride == (arch.rows[row].stride if first else 1)
        before = row, layer
    assert before is not None
    assert before[1].output_shape == (arch.classes,)


def test_rows_are_named_as_the_state_dict_names_them() -> None:
    assert b0.row_names[:3] == ("stem.0", "stages.0", "stages.1")
    assert b0.row_names[-4:] == ("head.conv", "head.pool", "head.dropout", "head.classifier")
    twice = replace(b0, head=(Pool(), Linear(8), Dropout(), Linear(8), Classifier()))
    assert twice.row_names[-5:] == ("head.pool", "head.linear1", "head.dropout", "head.linear3", "head.classifier")


def test_strides_turn_into_dilation_from_the_output_stride_on() -> None:
    layers = [layer for row, layer in b0.layers(output_stride=8) if 1 <= row <= 7]
    assert layers[-1].out_size == (28, 28)
    of_stage4 = [(layer.stride, layer.dilation) for row, layer in b0.layers(output_stride=8) if row == 4]
    assert of_stage4 == [(1, 1), (1, 2), (1, 2)]  # the layer that loses its stride keeps the dilation above it
    assert layers[-1].dilation == 4


def test_features_are_the_last_rows_before_each_stride() -> None:
    assert b0.features() == (
        ("stages.0", 16, 2), ("stages.1", 24, 4), ("stages.2", 40, 8), ("stages.4", 112, 16), ("stages.6", 320, 32))  # fmt: skip
    assert b0.features(output_stride=16)[-1] == ("stages.6", 320, 16)
    assert b0.features(33) == b0.features()  # a reduction belongs to the network, not to an image


def test_taps_name_rows_layers_and_parts() -> None:
    tapped = replace(b0, taps=("stages.3", "stages.3.0", "stages.3.0.expand", "stages.3.0.depthwise", "head.conv"))
    assert [f[1:] for f in tapped.features()] == [(80, 16), (80, 16), (240, 8), (240, 16), (1280, 32)]


@pytest.mark.parametrize(
    "tap", ["stages.7", "stages.3.5", "stages.3.5.expand", "head.pool", "stages.3.0.nothing", "x", ""]
)
def test_a_tap_that_the_table_does_not_have_is_refused(tap: str) -> None:
    with pytest.raises(SettingError, match=r"no features at|offers no part"):
        replace(b0, taps=(tap,)).features()


def test_a_style_reaches_every_layer() -> None:
    tf = b0.styled("tf", pad="same", eps=1e-3)
    assert tf.stages == b0.stages
    assert {layer.style for _, layer in tf.layers()} == {replace(b0.style, pad="same", eps=1e-3)}
    other = replace(b0.style, act="relu")
    assert {layer.style for _, layer in b0.layers(style=other)} == {other}  # weights bring their own


def test_another_norm_reaches_every_layer_and_the_head() -> None:
    group = find("densenet121").with_norm("group")
    assert group.name == "densenet121_groupnorm"
    assert {layer.style.norm for _, layer in group.layers()} == {"group"}
    assert group.head[0] == Norm(norm="group", act="relu")
    assert find("mobilenetv4_conv_small").with_norm("layer").head[2] == Linear(1280, norm="layer")
    assert Arch.from_json(json.loads(json.dumps(group.to_json()))) == group
    assert b0.with_norm("batch") is b0
    for name, norm, said in (
        ("convnext_tiny", "group", "no batch norms"),
        ("mobileone_s0", "group", "MobileOneConv folds them"),
        ("repvit_m1_0", "layer", "folds them"),
        ("efficientnet_b0", "instance", "'group'"),
    ):
        with pytest.raises(SettingError, match=said):
            find(name).with_norm(norm)  # type: ignore[arg-type]


def test_classes_belong_to_the_classifier() -> None:
    assert (b0.classes, b0.with_classes(7).classes) == (1000, 7)
    assert b0.with_classes(7).stages == b0.stages
    assert replace(b0, head=(Pool(),)).classes == 0


def test_an_unknown_operator_is_answered_with_the_nearest_name() -> None:
    text = json.dumps(b0.to_json()).replace('"MBConv"', '"MbConvs"')
    with pytest.raises(SettingError, match=r"The operator 'MbConvs' is not known here\. Did you mean 'MBConv'"):
        Arch.from_json(json.loads(text))


@pytest.mark.parametrize(
    "change",
    [
        {"stem": 3},
        {"style": {"colour": "blue"}},
        {"scaling": {"divisors": 8}},
        {"colour": "blue"},
        {"image": "large"},
        {"stages": [{"op": {"op": "MBConv", "t": 6, "kk": 3}, "channels": 8}]},
        {"stages": [{"op": {"op": "MBConv", "t": 6}, "chanels": 8}]},
        {"stages": [{"channels": 8}]},
    ],
    ids=str,
)
def test_what_is_not_a_network_is_refused_in_one_line(change: dict[str, object]) -> None:
    with pytest.raises(SettingError, match="This is not the description of a network") as caught:
        Arch.from_json(b0.to_json() | change)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["name", "image", "stem", "stages", "head"])
def test_a_missing_part_is_named(key: str) -> None:
    with pytest.raises(SettingError, match=key):
        Arch.from_json({k: v for k, v in b0.to_json().items() if k != key})


def test_a_table_is_written_in_its_papers_words() -> None:
    assert b0.stages[2] == Stage(MBConv(t=6, k=5, se=0.25), 40, 2, 2)
    assert b0.head[0] == Conv(1280, k=1)
    assert len({find(name) for name in known()}) == len(known())
