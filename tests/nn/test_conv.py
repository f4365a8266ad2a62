from __future__ import annotations

import math
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from linnet.arch.spec import Act, Classifier, Conv, Dropout, Layer, Linear, MaxPool, Norm, Operator, Pool, Style
from linnet.nn.conv import ConvNorm, DropPath, LayerNorm, SqueezeExcite, activation, added, group_size, norm, pad_same
from linnet.nn.module import module


def layer(op: Operator, cin: int = 8, cout: int = 8, stride: int = 1, size: tuple[int, ...] = (12, 9), dilation: int = 1,
          style: Style = Style()) -> Layer:  # fmt: skip  # noqa: B008
    return Layer(op, cin, cout, stride, size, dilation, style)


@settings(max_examples=60, deadline=None)
@given(
    k=st.sampled_from([1, 3, 5, 7]),
    stride=st.sampled_from([1, 2, 4]),
    dilation=st.sampled_from([1, 2]),
    pad=st.sampled_from(["symmetric", "same"]),
    size=st.tuples(st.integers(7, 20), st.integers(7, 20)),
    groups=st.sampled_from([1, 8]),
)
def test_a_convolution_has_the_promised_shape(
    k: int, stride: int, dilation: int, pad: str, size: tuple[int, int], groups: int
) -> None:
    op = Conv(k=k, groups=groups)
    if stride > 1:
        dilation = 1
    whole = layer(op, stride=stride, size=size, dilation=dilation, style=Style(pad=pad))  # type: ignore[arg-type]
    assert module(op, whole)(torch.randn(2, *whole.input_shape)).shape == (2, *whole.output_shape)


@pytest.mark.parametrize("side", [7, 8, 9, 224, 225])
@pytest.mark.parametrize(("k", "stride"), [(3, 2), (5, 2), (3, 1), (7, 4), (1, 2)])
def test_same_padding_is_tensorflows(k: int, stride: int, side: int) -> None:
    """TensorFlow's documented rule: out = ceil(n / s), total = max((out - 1) * s + k - n, 0), the odd one at the end."""
    x = torch.randn(1, 1, side, side)
    total = max((math.ceil(side / stride) - 1) * stride + k - side, 0)
    before, after = total // 2, total - total // 2
    assert torch.equal(pad_same(x, (k, k), stride, 1), F.pad(x, (before, after, before, after)))


def test_same_and_symmetric_padding_differ_at_even_sizes_only_where_there_is_a_stride() -> None:
    x = torch.randn(1, 4, 8, 8)
    for stride, equal in ((1, True), (2, False)):
        torch.manual_seed(0)
        a = ConvNorm(4, 4, 3, Style(), stride=stride)
        b = ConvNorm(4, 4, 3, Style(pad="same"), stride=stride)
        b.load_state_dict(a.state_dict())
        assert torch.allclose(a.eval()(x), b.eval()(x)) is equal


def test_a_convolution_owns_its_norm_and_has_a_bias_where_it_has_none() -> None:
    assert list(ConvNorm(2, 3, 1, Style()).state_dict()) == [
        "weight", "norm.weight", "norm.bias", "norm.running_mean", "norm.running_var", "norm.num_batches_tracked"
    ]  # fmt: skip
    assert ConvNorm(2, 3, 1, Style()).bias is None
    assert ConvNorm(2, 3, 1, Style(norm="none")).bias is not None


def test_style_reaches_the_norm_and_the_activation() -> None:
    conv = ConvNorm(2, 3, 1, Style(act="hswish", eps=0.5, momentum=0.3))
    assert isinstance(conv.norm, nn.BatchNorm2d)
    assert (conv.norm.eps, conv.norm.momentum) == (0.5, 0.3)
    assert isinstance(conv.act, nn.Hardswish)
    assert isinstance(ConvNorm(2, 3, 1, Style(), act="identity").act, nn.Identity)


def test_groups_have_16_channels_or_nearly_so() -> None:
    assert [group_size(c) for c in (3, 8, 16, 17, 24, 40, 64, 72, 576, 1280)] == [3, 8, 16, 17, 12, 10, 16, 12, 16, 16]
    made = norm(40, Style(norm="group", eps=1e-3))
    assert isinstance(made, nn.GroupNorm)
    assert (made.num_groups, made.num_channels, made.eps) == (4, 40, 1e-3)
    assert norm(32, Style(norm="group"), flat=True)(torch.randn(2, 32)).shape == (2, 32)
    assert ConvNorm(8, 16, 3, Style(norm="group")).bias is None


def test_activations_are_the_papers() -> None:
    x = torch.linspace(-8, 8, 33)
    assert torch.equal(activation("relu6")(x.clone()), x.clamp(0, 6))
    torch.testing.assert_close(activation("silu")(x.clone()), x * torch.sigmoid(x))
    torch.testing.assert_close(activation("hswish")(x.clone()), x * (x + 3).clamp(0, 6) / 6)  # Howard 2019, section 5.2


def test_squeeze_and_excitation_scales_channels_by_the_average() -> None:
    gate = SqueezeExcite(4, 2, act="relu", hard=True)
    x = torch.randn(2, 4, 5, 3)
    average = x.mean((2, 3))
    inner = F.relu(average @ gate.reduce.weight[:, :, 0, 0].T + gate.reduce.bias)
    wanted = ((inner @ gate.expand.weight[:, :, 0, 0].T + gate.expand.bias) + 3).clamp(0, 6) / 6
    torch.testing.assert_close(gate(x), x * wanted[:, :, None, None])
    # In place or not, the input is left as it was.
    assert torch.equal(x.mean((2, 3)), average)


def test_drop_path_drops_whole_samples_and_keeps_the_mean() -> None:
    drop = DropPath()
    x = torch.ones(4000, 2, 2, 2)
    assert drop(x) is x
    drop.rate = 0.25
    y = drop(x)
    values = y.flatten(1)
    assert torch.equal(values.min(1).values, values.max(1).values)
    assert {round(float(v), 4) for v in values.unique()} == {0.0, round(1 / 0.75, 4)}
    assert abs(float(y.mean()) - 1) < 0.05
    assert drop.eval()(x) is x


def test_layer_norm_normalises_channels_of_maps_tokens_and_vectors() -> None:
    own = LayerNorm(6)
    image = torch.randn(2, 6, 4, 3)
    tokens = image.flatten(2).transpose(1, 2)
    assert torch.allclose(own(image).flatten(2).transpose(1, 2), own(tokens), atol=1e-6)
    assert torch.allclose(own(tokens)[:, 0], own(tokens[:, 0]), atol=1e-6)
    assert own(image).mean(1).abs().max() < 1e-5


@pytest.mark.parametrize(
    ("op", "size", "cout"),
    [
        (Pool(), (4, 3), 8),
        (Pool("flatten"), (4, 3), 96),
        (Pool(), (12,), 8),
        (Pool("token"), (12,), 8),
        (Pool("token", tokens=2), (12,), 8),
        (Norm(), (4, 3), 8),
        (Norm("batch", act="relu"), (4, 3), 8),
        (Norm(), (12,), 8),
        (Linear(5), (), 5),
        (Linear(5, norm="batch"), (), 5),
        (Dropout(), (), 8),
        (Classifier(7), (), 7),
        (Classifier(0), (), 8),
        (Classifier(7, heads=2), (2,), 7),
        (MaxPool(3, 1), (9, 8), 8),
        (MaxPool(3, 0, ceil=True), (9, 8), 8),
    ],
    ids=str,
)  # fmt: skip
def test_a_shared_operator_has_the_promised_shape(op: Operator, size: tuple[int, ...], cout: int) -> None:
    stride = 2 if isinstance(op, MaxPool) else 1
    whole = layer(op, size=size, stride=stride, cout=cout)
    assert module(op, whole)(torch.randn(2, *whole.input_shape)).shape == (2, *whole.output_shape)


def test_two_classifiers_are_averaged() -> None:
    heads = module(Classifier(7, heads=2), layer(Classifier(7, heads=2), size=(2,), cout=7))
    x = torch.randn(3, 2, 8)
    torch.testing.assert_close(heads(x), (heads[0](x[:, 0]) + heads[1](x[:, 1])) / 2)  # type: ignore[index]
    heads.apart = True  # in training alone
    torch.testing.assert_close(heads(x)[:, 1], heads[1](x[:, 1]))  # type: ignore[index]
    assert heads.eval()(x).shape == (3, 7)


def test_a_thin_pointwise_convolution_with_a_stride_learns() -> None:
    """In a process of its own: as torch computes it, its backward pass in fp32 and channels-last can end the process."""
    code = (
        "import torch\n"
        "from linnet.arch.spec import Style\n"
        "from linnet.nn.conv import ConvNorm\n"
        "net = ConvNorm(3, 48, 1, Style(act='identity', norm='none'), stride=2).to(memory_format=torch.channels_last)\n"
        "x = torch.randn(16, 3, 128, 128).contiguous(memory_format=torch.channels_last)\n"
        "for _ in range(8):\n"
        "    y = net(x)\n"
        "    y.square().sum().backward()\n"
        "with torch.no_grad():\n"
        "    torch.testing.assert_close(net(x), y)\n"
        "assert net.weight.grad.isfinite().all()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


@pytest.mark.parametrize("act", ["silu", "hswish", "gelu"])
def test_an_activation_takes_new_memory_only_where_a_gradient_is_wanted(act: Act) -> None:
    x = torch.randn(2, 3, 4, 4)
    with torch.no_grad():
        new = x.clone()
        y = activation(act)(new)
        assert y.data_ptr() == new.data_ptr()
    z = activation(act)(x.clone().requires_grad_())
    assert torch.equal(y, z)
    z.sum().backward()
    assert torch.equal(activation(act)(x), y)


def test_added_and_a_gate_give_the_same_with_and_without_gradients() -> None:
    x, y, gate = torch.randn(2, 8, 4, 4), torch.randn(2, 8, 4, 4), SqueezeExcite(8, 2, act="relu")
    total, gated = added(x, y), gate(x)
    with torch.no_grad():
        assert torch.equal(gate(x.clone()), gated)
        into = y.clone()
        assert torch.equal(added(x, into), total)
        assert torch.equal(into, total)  # its memory was taken
        half = y.to(torch.bfloat16)
        assert added(x, half).dtype == torch.float32
    assert torch.equal(added(x, y) - y, total - y)  # x and y are as they were
