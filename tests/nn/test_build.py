from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.arch.names import find
from linnet.arch.spec import Arch, Layer, Operator, Stage
from linnet.errors import SettingError
from linnet.nn.build import build
from linnet.nn.module import module

FAMILIES = ["mobilenetv1_100", "mobilenetv2_100", "mobilenetv3_large_100", "semnasnet_100", "efficientnet_b0",
            "efficientnet_lite0", "efficientnetv2_s"]  # fmt: skip


def shapes_hold(arch: Arch, image: int | tuple[int, int], output_stride: int = 0) -> None:
    """Every distinct layer gives what its table promises; on the meta device, so nothing is computed."""
    for layer in {layer for _, layer in arch.layers(image, output_stride=output_stride)}:
        with torch.device("meta"):
            y = module(layer.op, layer).eval()(torch.empty(1, *layer.input_shape))
        assert y.shape == (1, *layer.output_shape), layer


@settings(max_examples=12, deadline=None)
@given(
    name=st.sampled_from(FAMILIES),
    width=st.floats(0.25, 2.0),
    depth=st.floats(0.5, 2.0),
    image=st.tuples(st.integers(32, 260), st.integers(32, 260)),
)
def test_every_row_of_a_scaled_network_has_its_promised_shape(
    name: str, width: float, depth: float, image: tuple[int, int]
) -> None:
    arch = find(name).scaled(width=width, depth=depth)
    shapes_hold(arch, image)
    assert Arch.from_json(arch.to_json()) == arch


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("output_stride", [8, 16])
def test_strides_turn_into_dilation(name: str, output_stride: int) -> None:
    shapes_hold(find(name), 96, output_stride)
    info = find(name).features(96, output_stride=output_stride)
    assert max(reduction for _, _, reduction in info) == output_stride


@pytest.mark.parametrize("name", ["mobilenetv3_small_050", "mobilenetv4_hybrid_medium", "efficientnet_b0", "mobilevit_xxs",
                                  "mobilevitv2_050", "repvit_m0_9", "efficientvit_b0", "ghostnet_100", "lcnet_050",
                                  "convnext_tiny", "vit_tiny_patch16_224", "swin_tiny_patch4_window7_224", "seresnet50",
                                  "densenet121", "xception", "nasnetamobile", "shufflenet_v2_x0_5", "squeezenet1_1"])  # fmt: skip
def test_without_gradients_memory_is_spared_but_no_input_changes_and_the_result_is_the_same(name: str) -> None:
    arch = find(name).styled("silu", act="silu") if name in ("xception", "densenet121") else find(name)
    layers = {type(layer.op): layer for _, layer in arch.layers(224 if "224" in name else 64)}
    for layer in layers.values():
        m, x = module(layer.op, layer).eval(), torch.randn(2, *layer.input_shape)
        before, wanted = x.clone(), m(x)
        with torch.no_grad():
            found = m(x)
        assert torch.equal(x, before), layer
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)


def test_dilated_and_strided_networks_share_their_weights() -> None:
    arch = find("mobilenetv3_small_050").with_classes(5)
    plain, dilated = build(arch).eval(), build(arch, output_stride=8).eval()
    dilated.load_state_dict(plain.state_dict())
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert plain.forward_features(x).shape[2:] == (2, 2)
        assert dilated.forward_features(x).shape[2:] == (8, 8)


def test_the_same_seed_draws_the_same_weights() -> None:
    arch = find("mnasnet_small")

    def drawn(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return torch.cat([p.detach().flatten() for p in build(arch).parameters()])

    assert torch.equal(drawn(1), drawn(1))
    assert not torch.equal(drawn(1), drawn(2))


def test_on_the_meta_device_nothing_is_allocated() -> None:
    with torch.device("meta"):
        net = build(find("efficientnet_l2"))
    assert all(p.is_meta for p in net.parameters())


def test_other_channels_than_three() -> None:
    net = build(find("mnasnet_small").with_classes(4), in_chans=5)
    assert net(torch.randn(2, 5, 48, 48)).shape == (2, 4)


def test_every_operator_of_ours_has_a_module_and_a_strange_one_is_named() -> None:
    for name, op in Operator.known.items():
        if op.__module__.startswith("linnet."):
            assert module.dispatch(op) is not module.dispatch(object), name

    class Strange(Operator):
        pass

    try:
        with pytest.raises(SettingError, match="The operator Strange has no module: register one"):
            build(Arch("strange", 8, (), (Stage(Strange(), 3),), ()))
    finally:
        del Operator.known["Strange"]


def test_a_layer_is_hashable_and_says_all() -> None:
    a, b = (next(layer for _, layer in find(n).layers()) for n in ("efficientnet_b0", "efficientnet_b1"))
    assert isinstance(a, Layer)
    assert a != b
    assert len({a, next(layer for _, layer in find("efficientnet_b0").layers())}) == 1
