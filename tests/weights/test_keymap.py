from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import timm
import torch
from torch import nn
from torchvision import models

from linnet.arch.names import find, known
from linnet.errors import SettingError, WeightsError
from linnet.nn.build import build
from linnet.weights.keymap import classes_in, dialect_of, from_linnet, pairs, to_linnet
from linnet.weights.model import load_exactly

# One or two of every family; the odd side shows TensorFlow's padding.
TIMM = [
    ("mobilenetv1_100", (64, 97)), ("mobilenetv2_050", (64, 97)), ("mobilenetv2_110d", (64,)),
    ("mobilenetv3_small_100", (64, 97)), ("tf_mobilenetv3_large_100", (96, 225)),
    ("tf_mobilenetv3_small_minimal_100", (64, 97)), ("mnasnet_small", (64, 97)), ("semnasnet_075", (64, 97)),
    ("mnasnet_100", (64,)), ("efficientnet_b0", (64, 97)), ("tf_efficientnet_b1", (96, 225)),
    ("efficientnet_lite0", (64, 97)), ("tf_efficientnet_lite1", (96, 225)), ("tf_efficientnetv2_b0", (64, 97)),
    ("efficientnetv2_rw_t", (64, 97)), ("efficientnetv2_s", (64, 97)),
]  # fmt: skip
TORCHVISION = [
    "efficientnet_b0",
    "efficientnet_v2_s",
    "mobilenet_v2",
    "mobilenet_v3_large",
    "mobilenet_v3_small",
    "mnasnet1_0",
]
TORCHVISION_KEYS = [
    "efficientnet_b5",
    "efficientnet_v2_m",
    "efficientnet_v2_l",
    "mnasnet0_5",
    "mnasnet0_75",
    "mnasnet1_3",
]


def same(a: torch.Tensor, b: torch.Tensor) -> bool:
    return a.shape == b.shape and bool((a - b).abs().max() <= 1e-5 * max(1.0, float(b.abs().max())))


@pytest.mark.parametrize(("name", "sides"), TIMM, ids=lambda v: v if isinstance(v, str) else "")
def test_logits_equal_timms(name: str, sides: tuple[int, ...], randomise: Callable[..., nn.Module]) -> None:
    theirs, arch = randomise(timm.create_model(name, num_classes=11)), find(name).with_classes(11)
    state = theirs.state_dict()
    ours = build(arch).eval()
    load_exactly(ours, to_linnet(state, arch), what=name)
    for side in sides:
        x = torch.randn(2, 3, side, side)
        with torch.no_grad():
            assert same(ours(x), theirs(x))
            assert same(ours.forward_features(x), theirs.forward_features(x))
    back = from_linnet(ours.state_dict(), arch, "timm")
    assert list(back) == list(state) or back.keys() == state.keys()
    assert all(torch.equal(back[key], state[key]) for key in state)


@pytest.mark.parametrize("name", TORCHVISION)
def test_logits_equal_torchvisions(name: str, randomise: Callable[..., nn.Module]) -> None:
    theirs = randomise(models.get_model(name, num_classes=11))
    # Weights bring their style: torchvision's V2 and MobileNetV3 have another eps than the table's.
    eps = next(m.eps for m in theirs.modules() if isinstance(m, nn.BatchNorm2d))
    arch = find(name).with_classes(11)
    arch = replace(arch, style=replace(arch.style, eps=eps))
    assert eps == (1e-3 if name in ("efficientnet_v2_s", "mobilenet_v3_large", "mobilenet_v3_small") else 1e-5)
    state = theirs.state_dict()
    ours = build(arch).eval()
    load_exactly(ours, to_linnet(state, arch), what=name)
    for side in (64, 97):
        x = torch.randn(2, 3, side, side)
        with torch.no_grad():
            assert same(ours(x), theirs(x))
    back = from_linnet(ours.state_dict(), arch, "torchvision")
    assert back.keys() == state.keys()
    assert all(torch.equal(back[key], state[key]) for key in state)


@pytest.mark.parametrize("name", [n for n in known() if not n.startswith("tf_") and timm.is_model(n)])
def test_every_network_has_timms_names_and_shapes(name: str) -> None:
    with torch.device("meta"):
        state = timm.create_model(name, num_classes=1000).state_dict()
    assert {p.theirs: p.their_shape for p in pairs(find(name), "timm")} == {k: v.shape for k, v in state.items()}


@pytest.mark.parametrize("name", [n for n in known() if n.startswith("tf_")])
def test_the_tf_names_differ_in_style_only(name: str) -> None:
    plain = known()[name.removeprefix("tf_")]
    assert replace(known()[name], name=plain.name, style=plain.style) == plain
    assert (known()[name].style.pad, known()[name].style.eps) == ("same", 1e-3)


@pytest.mark.parametrize("name", TORCHVISION_KEYS)
def test_every_network_has_torchvisions_names_and_shapes(name: str) -> None:
    with torch.device("meta"):
        state = models.get_model(name).state_dict()
    assert {p.theirs: p.their_shape for p in pairs(find(name), "torchvision")} == {k: v.shape for k, v in state.items()}


@pytest.mark.parametrize("name", ["mobilenetv1_100", "mobilenetv2_140", "mobilenetv3_large_075", "mobilenetv3_small_100",
                                  "tf_mobilenetv3_large_minimal_100", "semnasnet_100", "mnasnet_small",
                                  "efficientnet_b3", "efficientnet_lite0", "efficientnetv2_m", "efficientnetv2_rw_s"])  # fmt: skip
def test_features_are_timms_features(name: str) -> None:
    with torch.device("meta"):
        info = timm.create_model(name, features_only=True).feature_info
    found = [(channels, reduction) for _, channels, reduction in find(name).features()]
    assert found == list(zip(info.channels(), info.reduction(), strict=True))


@pytest.mark.parametrize("name", ["efficientnet_b0", "mobilenetv3_small_100"])
def test_features_have_timms_values(name: str, randomise: Callable[..., nn.Module]) -> None:
    theirs, arch = randomise(timm.create_model(name, num_classes=11)), find(name).with_classes(11)
    ours = build(arch).eval()
    load_exactly(ours, to_linnet(theirs.state_dict(), arch, "timm"), what=name)
    maps = timm.create_model(name, features_only=True)
    wanted = maps.state_dict()
    maps.load_state_dict({key: value for key, value in theirs.state_dict().items() if key in wanted})
    x = torch.randn(1, 3, 96, 96)
    with torch.no_grad():
        for mine, other in zip(ours.features(x), maps.eval()(x), strict=True):
            assert same(mine, other)


def test_weights_that_do_not_fit_name_the_first_tensors() -> None:
    arch = find("mobilenetv3_small_100")
    with torch.device("meta"):
        state = timm.create_model("mobilenetv3_small_100").state_dict()
        other = timm.create_model("mobilenetv3_large_100").state_dict()
    cases = [
        ({k: v for k, v in state.items() if "bn1.weight" not in k}, r"missing bn1\.weight, blocks\.0\.0\.bn1\.weight.* and \d+ more"),
        (state | {"extra.weight": torch.zeros(1)}, r"not known extra\.weight\."),
        (state | {"classifier.weight": torch.zeros(7, 1024)}, r"another shape classifier\.weight \(7, 1024\) where"),
        (other, r"not those of mobilenetv3_small_100"),
        ({}, r"missing"),
    ]  # fmt: skip
    for bad, said in cases:
        with pytest.raises(WeightsError, match=said) as error:
            to_linnet(bad, arch)
        assert "\n" not in str(error.value)
    with pytest.raises(WeightsError, match=r"does not fit"):
        from_linnet({"stem.0.0.weight": torch.zeros(1)}, arch, "timm")


def test_counters_that_old_files_lack_become_zero() -> None:
    arch = find("mobilenetv3_small_100")
    state = build(arch).state_dict()
    old = {k: v for k, v in from_linnet(state, arch, "torchvision").items() if not k.endswith("num_batches_tracked")}
    assert all(torch.equal(value, state[key]) for key, value in to_linnet(old, arch).items())


@pytest.mark.parametrize("dialect", ["timm", "torchvision", "linnet"])
def test_the_dialect_is_seen_and_other_channels_interchange(dialect: str) -> None:
    arch = find("mobilenetv3_small_100").with_classes(5)
    state = build(arch, in_chans=4).state_dict()
    theirs = from_linnet(state, arch, dialect, in_chans=4)
    assert dialect_of(theirs, arch) == dialect
    assert classes_in(theirs, arch, dialect) == 5
    assert all(torch.equal(value, state[key]) for key, value in to_linnet(theirs, arch, in_chans=4).items())
    with pytest.raises(WeightsError, match=r"of another shape .* is needed"):
        to_linnet(theirs, arch)


def test_the_dialect_is_that_of_most_names() -> None:
    arch = find("convnext_tiny")  # head.norm is called so by both
    with torch.device("meta"):
        assert dialect_of(timm.create_model("convnext_tiny").state_dict(), arch) == "timm"
        assert dialect_of(build(arch).state_dict(), arch) == "linnet"
    assert dialect_of({}, find("shufflenet_v1_g3")) == "linnet"  # no other library has it


def test_a_library_without_such_a_network_is_named() -> None:
    with pytest.raises(SettingError, match="torchvision has no network like mobilenetv1_100; timm has"):
        pairs(find("mobilenetv1_100"), "torchvision")
    with pytest.raises(SettingError, match="Did you mean 'timm'"):
        pairs(find("mobilenetv1_100"), "tim")
