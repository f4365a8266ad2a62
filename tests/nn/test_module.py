"""Every operator has a module, and the module gives what the operator promises."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from linnet.arch.names import find, known
from linnet.arch.spec import Arch, Classifier, Conv, Layer, Linear, Norm, Operator, Pool, Stage, Style
from linnet.arch.vit import Patchify
from linnet.errors import SettingError
from linnet.nn.build import build
from linnet.nn.module import module

OURS = sorted((op for op in Operator.known.values() if op.__module__.startswith("linnet.")), key=lambda op: op.__name__)


@pytest.mark.parametrize("operator", OURS, ids=lambda op: op.__name__)
def test_every_operator_has_a_module(operator: type[Operator]) -> None:
    assert module.dispatch(operator) is not module.dispatch(object), f"{operator.__name__}: register one in linnet/nn"


def test_every_family_is_loaded_by_build() -> None:
    used = {type(op) for name in known() for stage in find(name).rows for op in stage.ops}
    assert used <= set(OURS)
    assert len(used) >= 8


@dataclass(frozen=True)
class Lonely(Operator):
    """Has no module."""


@dataclass(frozen=True)
class Twice(Operator):
    """From a user's package: two times its input."""


@module.register
def _(op: Twice, layer: Layer) -> nn.Module:
    class Doubled(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return 2 * x

    return Doubled()


def test_an_operator_without_a_module_says_what_to_do() -> None:
    with pytest.raises(
        SettingError, match=r"Lonely has no module: register one with linnet\.nn\.module\.module\.register"
    ):
        build(Arch("lonely", 32, (Stage(Lonely(), 3),), (), (Pool(), Classifier())))


def test_a_users_operator_needs_no_change_in_linnet() -> None:
    net = build(Arch("twice", 8, (Stage(Twice(), 3),), (Stage(Twice(), 3, 2),), (Pool(), Classifier(0))))
    x = torch.randn(2, 3, 8, 8)
    torch.testing.assert_close(net(x), 8 * x.mean((2, 3)))


# Pixels: of a smaller map the last pool, or the last convolution without padding, has nothing to take.
LEAST = {"alexnet": 63, "alexnet_2012": 67, "inception_v3": 75, "googlenet_original": 41}


def assert_promised(arch: Arch, image: int | tuple[int, int], output_stride: int = 0) -> None:
    with torch.device("meta"), torch.no_grad():
        for layer in dict.fromkeys(layer for _, layer in arch.layers(image, output_stride=output_stride)):
            y = module(layer.op, layer).eval()(torch.empty(2, *layer.input_shape))
            assert tuple(y.shape) == (2, *layer.output_shape), layer


@given(
    st.sampled_from(sorted(known())),
    st.floats(0.25, 1.5),
    st.tuples(st.integers(33, 400), st.integers(33, 400)),
    st.sampled_from((0, 8, 16)),
)
@settings(max_examples=25, deadline=None)
def test_every_layer_gives_its_promised_shape(name: str, width: float, image: tuple[int, int], stride: int) -> None:
    arch = find(name).scaled(width=width)
    image = (max(image[0], LEAST.get(name, 1)), max(image[1], LEAST.get(name, 1)))
    # Images of whole patches, where a network takes no others.
    patch = next((s.stride for s in arch.stem if isinstance(s.op, Patchify) and not s.op.ragged), 1)
    h, w = (max(n // patch, 1) * patch for n in image)
    try:
        assert_promised(arch, (h, w), stride)
    except SettingError as refused:
        if not stride or "without output_stride" not in str(refused):
            raise
        assert_promised(arch, (h, w))  # patches and their merging have no dilated form


@pytest.mark.parametrize("op", [
    Linear(8), Linear(8, norm="batch"), Linear(8, norm="layer", act="relu"), Norm(), Norm("batch"), Norm("batch", act="relu"),
    Classifier(10), Classifier(10, heads=2), Classifier(0)], ids=str)  # fmt: skip
def test_head_rows_take_vectors(op: Operator) -> None:
    layer = Layer(op, 16, op.out_channels(16, 0, ()), 1, (), 1, Style())
    x = torch.randn(3, 16)
    assert tuple(module(op, layer)(x).shape) == (3, *layer.output_shape)


@pytest.mark.parametrize(
    ("op", "size"), [(Norm(), (5,)), (Norm(), (4, 3)), (Norm("batch", act="relu"), (4, 3))], ids=str
)
def test_norms_take_maps_and_tokens(op: Operator, size: tuple[int, ...]) -> None:
    layer = Layer(op, 16, 16, 1, size, 1, Style())
    x = torch.randn(2, *layer.input_shape) * 3 + 1
    y = module(op, layer)(x)
    assert y.shape == x.shape
    if op == Norm():  # over the channels, wherever they stand
        axis = 1 if len(size) == 2 else 2
        torch.testing.assert_close(y.mean(axis), torch.zeros_like(y.mean(axis)), atol=1e-5, rtol=0)


def test_heads_on_one_vector_are_averaged() -> None:
    layer = Layer(Classifier(10, heads=2), 16, 10, 1, (), 1, Style())
    a, b = heads = module(layer.op, layer)
    x = torch.randn(3, 16)
    torch.testing.assert_close(heads(x), (a(x) + b(x)) / 2)


def test_a_style_passes_to_the_modules() -> None:
    style = Style(act="silu", eps=1e-3, momentum=0.01, pad="same")
    conv = module(Conv(), Layer(Conv(), 3, 8, 2, (32, 32), 1, style))
    assert (conv.norm.eps, conv.norm.momentum, conv.same) == (1e-3, 0.01, True)
    assert isinstance(conv.act, nn.SiLU)
    assert conv.bias is None
    layered = module(Conv(), Layer(Conv(), 3, 8, 2, (32, 32), 1, Style(norm="layer")))
    assert layered.bias is not None  # only a batch norm makes one useless
