from __future__ import annotations

import dataclasses
import math

import pytest
import torch

from linnet.errors import WeightsError
from linnet.nn.build import build
from linnet.training.ingredients import AdamW, Lamb, RmsProp, Sgd
from linnet.training.loop import run
from linnet.training.optim import (
    TensorFlowRmsProp,
    add_l1,
    build_optimizer,
    clip,
    load_optimizer,
    optimizer_tensors,
    set_lr,
)
from linnet.weights.model import read_model


def test_rmsprop_by_hand():
    """w = 1, gradients 2 then 1, decay 0.9, momentum 0.9, eps 0.001, the rate halved in between. On paper:

    square 0.9 * 1 + 0.1 * 4 = 1.3;      moment 0.1 * 2 / sqrt(1.301) = 0.17534418;      w = 0.82465582
    square 0.9 * 1.3 + 0.1 * 1 = 1.27;   moment 0.9 * 0.17534418 + 0.05 / sqrt(1.271) = 0.20216013;  w = 0.62249570
    """
    w = torch.nn.Parameter(torch.tensor([1.0]))
    optimizer = TensorFlowRmsProp([w], lr=0.1, decay=0.9, momentum=0.9, eps=1e-3, weight_decay=0.0)
    for gradient, lr, expected in ((2.0, 0.1, 0.82465582), (1.0, 0.05, 0.62249570)):
        optimizer.param_groups[0]["lr"] = lr
        w.grad = torch.tensor([gradient])
        optimizer.step()
        assert w.item() == pytest.approx(expected, abs=1e-7)


def test_rmsprop_adds_weight_decay_to_the_gradient_and_leaves_it_alone():
    w = torch.nn.Parameter(torch.tensor([2.0]))
    optimizer = TensorFlowRmsProp([w], lr=0.1, decay=0.9, momentum=0.0, eps=1e-3, weight_decay=0.5)
    w.grad = torch.tensor([1.0])
    optimizer.step()
    assert w.item() == pytest.approx(2 - 0.1 * 2 / (0.9 + 0.1 * 4 + 1e-3) ** 0.5, abs=1e-7)
    assert w.grad.item() == 1.0


def test_norms_and_biases_are_not_decayed_and_the_head_has_its_rate(tiny_arch, tiny_recipe):
    net = build(tiny_arch)
    optimizer = build_optimizer(net, dataclasses.replace(tiny_recipe, head_lr_factor=10.0))
    set_lr(optimizer, 0.5)
    names = {p: name for name, p in net.named_parameters()}
    seen = set()
    for group in optimizer.param_groups:
        for p in group["params"]:
            name = names[p]
            seen.add(name)
            assert (group["weight_decay"] > 0) == (p.ndim > 1), name
            assert group["lr"] == (5.0 if name.startswith("head.classifier") else 0.5), name
            assert p.ndim > 1 or "norm" in name or name.endswith("bias")
    assert seen == set(names.values())


def test_rates_fall_layer_by_layer_towards_the_stem(tiny_arch, tiny_recipe):
    """Four residual layers: the head's rate is whole, the last layer's halved once, the stem's five times."""
    net = build(tiny_arch)
    optimizer = build_optimizer(net, dataclasses.replace(tiny_recipe, layer_decay=0.5, head_lr_factor=3.0))
    set_lr(optimizer, 1.0)
    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    expected = {"stem.0.0": 1 / 32, "stages.0.0": 1 / 16, "stages.1.0": 1 / 4, "stages.1.1": 1 / 2, "head.conv": 1.0}
    for place, rate in {**expected, "head.classifier": 3.0}.items():
        assert {rates[id(p)] for p in net.get_submodule(place).parameters()} == {rate}, place


@pytest.mark.parametrize(
    ("decayed", "allowed"),
    [
        ("weights", lambda name, p: p.ndim > 1),
        ("all", lambda name, p: True),
        ("no_depthwise", lambda name, p: p.ndim > 1 and "depthwise" not in name),
    ],
)
@pytest.mark.parametrize("kind", [Sgd, AdamW, Lamb, RmsProp])
def test_what_is_decayed(kind, decayed, allowed, tiny_arch, tiny_recipe):
    net = build(tiny_arch)
    recipe = dataclasses.replace(tiny_recipe, optimizer=kind(weight_decay=0.5, decayed=decayed))
    groups = build_optimizer(net, recipe).param_groups
    given = {id(p): group["weight_decay"] for group in groups for p in group["params"]}
    wanted = {name: 0.5 if allowed(name, p) else 0.0 for name, p in net.named_parameters()}
    assert {name: given[id(p)] for name, p in net.named_parameters()} == wanted
    assert any("depthwise" in name for name in wanted)


@pytest.mark.parametrize("optimizer", [Sgd(lr=0.1), AdamW(lr=0.01), Lamb(lr=0.01), RmsProp(lr=0.01)])
def test_state_goes_there_and_back_to_the_bit(optimizer, tiny_arch, tiny_recipe):
    recipe = dataclasses.replace(tiny_recipe, optimizer=optimizer)

    def learn(net, chosen, steps):
        for i in steps:
            torch.manual_seed(i)
            net(torch.randn(4, 3, 32, 32)).square().sum().backward()
            chosen.step()
            chosen.zero_grad()

    torch.manual_seed(0)
    net = build(tiny_arch.with_classes(3)).to(memory_format=torch.channels_last)
    one = build_optimizer(net, recipe)
    learn(net, one, range(3))
    saved = {name: tensor.contiguous().clone() for name, tensor in optimizer_tensors(one, net).items()}
    weights = {name: tensor.contiguous().clone() for name, tensor in net.state_dict().items()}
    learn(net, one, range(3, 6))

    other = build(tiny_arch.with_classes(3)).to(memory_format=torch.channels_last)
    other.load_state_dict(weights)
    two = build_optimizer(other, recipe)
    load_optimizer(two, other, saved)
    learn(other, two, range(3, 6))
    assert all(torch.equal(a, b) for a, b in zip(net.state_dict().values(), other.state_dict().values(), strict=True))


@pytest.mark.parametrize("kind", [Sgd(lr=0.1, weight_decay=0.01), AdamW(lr=0.01)])
def test_fused_kernels_agree_with_the_plain_ones(kind, tiny_arch, tiny_recipe):
    """Channels-last weights whose gradient is computed in the plain layout: fused kernels see memory, not indices."""
    weights = []
    for fused in (True, False):
        torch.manual_seed(0)
        net = build(tiny_arch).to(memory_format=torch.channels_last)
        optimizer = build_optimizer(net, dataclasses.replace(tiny_recipe, optimizer=kind))
        for group in optimizer.param_groups:
            group["fused"] = fused
        for _ in range(3):
            sum((p * torch.randn(p.shape)).sum() for p in net.parameters()).backward()
            optimizer.step()
            optimizer.zero_grad()
        weights.append(torch.cat([p.flatten() for p in net.parameters()]))
    assert torch.allclose(*weights, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", [Sgd(lr=0.1, weight_decay=0.01), AdamW(lr=0.01), RmsProp(weight_decay=0.0), Lamb()])
def test_l1_is_the_gradient_of_the_sum_of_magnitudes_of_the_decayed_weights(kind, tiny_arch, tiny_recipe):
    recipe = dataclasses.replace(tiny_recipe, optimizer=kind, l1=0.03)
    nets = []
    for by_hand in (True, False):
        torch.manual_seed(0)
        net = build(tiny_arch.with_classes(3))
        optimizer, bare = build_optimizer(net, recipe), net.no_weight_decay()
        decayed = [p for name, p in net.named_parameters() if p.ndim > 1 and name not in bare]
        assert 0 < len(decayed) < len(list(net.parameters()))
        for step in range(2):
            torch.manual_seed(step)
            loss = net(torch.randn(4, 3, 32, 32)).square().mean()
            (loss + 0.03 * sum(p.abs().sum() for p in decayed) if by_hand else loss).backward()
            if not by_hand:
                add_l1(optimizer)
            optimizer.step()
            optimizer.zero_grad()
        nets.append(torch.cat([p.detach().flatten() for p in net.parameters()]))
    assert torch.allclose(*nets, rtol=1e-5, atol=1e-6)


def test_no_l1_touches_no_gradient(tiny_arch, tiny_recipe):
    net = build(tiny_arch)
    optimizer = build_optimizer(net, tiny_recipe)
    for p in net.parameters():
        p.grad = torch.full_like(p, -0.0)
    add_l1(optimizer)
    assert all(p.grad.signbit().all() for p in net.parameters())


def test_l1_makes_weights_smaller(tiny_recipe, tiny_photos, tmp_path, quiet):
    sizes = []
    for l1 in (0.0, 0.5):
        recipe = dataclasses.replace(tiny_recipe, optimizer=Sgd(lr=0.01, weight_decay=0.0), l1=l1)
        run(recipe, tiny_photos, tmp_path / str(l1), progress=quiet)
        state = read_model(tmp_path / str(l1) / "best.safetensors").state
        sizes.append(sum(p.abs().sum().item() for name, p in state.items() if p.ndim > 1))
    assert sizes[1] < 0.85 * sizes[0]


def test_clipping_by_hand():
    w = torch.nn.Parameter(torch.zeros(2))
    w.grad = torch.tensor([3.0, 4.0])
    clip([w], 5.0, math.inf)
    clip([w], 5.0, 5.0)
    assert w.grad.tolist() == [3.0, 4.0]
    clip([w], 5.0, 1.0)
    assert w.grad.tolist() == pytest.approx([0.6, 0.8])


def test_the_state_comes_back_on_the_parameters_device(tiny_arch):
    """The meta device stands in for a GPU: AdamW counts its steps in a 0-dimensional tensor, which must move too."""
    net = build(tiny_arch).to("meta")
    optimizer = torch.optim.AdamW(net.parameters())
    name = "stem.0.0.weight"
    weight = net.get_parameter(name)
    load_optimizer(optimizer, net, {f"{name}/step": torch.tensor(3.0), f"{name}/exp_avg": torch.zeros(weight.shape)})
    assert {tensor.device.type for tensor in optimizer.state[weight].values()} == {"meta"}


def test_the_state_of_other_weights_is_refused(tiny_arch, tiny_recipe):
    net = build(tiny_arch)
    optimizer = build_optimizer(net, tiny_recipe)
    for name, tensor in (("nobody/exp_avg", torch.zeros(1)), ("stem.0.0.weight/exp_avg", torch.zeros(1))):
        with pytest.raises(WeightsError, match="does not fit"):
            load_optimizer(optimizer, net, {name: tensor})


def test_sgd_steps_with_rows_that_have_just_thawed(tiny_arch, tiny_recipe):
    """Some parameters of a group have their momentum, others begin: as torch does it one by one."""
    torch.manual_seed(0)
    recipe = dataclasses.replace(tiny_recipe, optimizer=Sgd(lr=0.1, weight_decay=0.0))
    net = build(tiny_arch)
    optimizer = build_optimizer(net, recipe)
    p, thawed = net.stages[0][0].expand.weight, net.stem[0][0].weight
    first = thawed.detach().clone()
    for params in ((p,), (p, thawed)):
        optimizer.zero_grad()
        for one in params:
            one.grad = torch.ones_like(one)
        optimizer.step()
    # Nesterov: the step is gradient + momentum * buffer, whose first value is the gradient.
    torch.testing.assert_close(first - thawed, torch.full_like(first, 0.1 * 1.9))
