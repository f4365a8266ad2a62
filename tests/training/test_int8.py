from __future__ import annotations

import dataclasses

import pytest
import torch

from linnet.arch.names import find
from linnet.errors import SettingError
from linnet.nn.build import build
from linnet.training.checkpoint import hash_checkpoint
from linnet.training.ingredients import Constant, Sgd
from linnet.training.int8 import refuse_branches, rounded, rounded_weight, rounding
from linnet.training.loop import run
from linnet.weights.model import read_model
from linnet.weights.tensors import read_tensors


def test_weights_are_127_steps_to_each_side_by_output_channel():
    scales = torch.tensor([1, 10, 0.1, 0])[:, None, None, None]
    weight = torch.randn(4, 3, 3, 3, generator=torch.Generator().manual_seed(0)) * scales
    made = rounded_weight(weight)
    step = weight.abs().amax((1, 2, 3), keepdim=True) / 127
    assert ((made - weight).abs() <= step / 2 + 1e-6).all()
    assert not torch.equal(made[:3], weight[:3])
    assert (made[3] == 0).all()
    steps = made[:3] / step[:3]
    torch.testing.assert_close(steps, steps.round(), rtol=0, atol=1e-4)


def test_activations_are_255_steps_with_0_among_them_each_image_by_itself():
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    x[1] *= 100
    x[:, 0, 0, 0] = 0
    made = rounded(x)
    assert (made[:, 0, 0, 0] == 0).all()
    for image, own in zip(x, made, strict=True):
        assert (own - image).abs().max() <= (image.max() - image.min()) / 255 * 1.01
        assert 10 < len(own.unique()) <= 256
    assert torch.equal(rounded(x[:1])[0], made[0])
    assert torch.equal(rounded(torch.zeros(1, 4)), torch.zeros(1, 4))


def test_the_gradient_goes_straight_through():
    x = torch.randn(2, 5, requires_grad=True)
    rounded(x).mul(3).sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, torch.full((2, 5), 3.0))


@pytest.fixture
def net(tiny_arch):
    torch.manual_seed(0)
    return build(tiny_arch.with_classes(3)).eval()


def test_the_net_rounds_inside_and_is_as_it_was_afterwards(net):
    x, before = torch.randn(2, 3, 32, 32), {k: v.clone() for k, v in net.state_dict().items()}
    plain = net(x)
    with rounding(net):
        inside = net(x)
    assert not torch.equal(inside, plain)
    assert list(net.state_dict()) == list(before)
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert torch.equal(net(x), plain)


def test_an_error_inside_leaves_the_net_as_it_was(net):
    x = torch.randn(1, 3, 32, 32)
    plain = net(x)
    with pytest.raises(RuntimeError, match="memory"), rounding(net):
        raise RuntimeError("out of memory")
    assert torch.equal(net(x), plain)


def test_every_weight_gets_a_gradient(net):
    with rounding(net):
        net(torch.randn(2, 3, 32, 32)).square().sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in net.parameters())


def test_branches_that_become_one_convolution_are_refused():
    with pytest.raises(SettingError, match="become one convolution"):
        refuse_branches(build(find("mobileone_s0")))


def distance(net, x, wanted):
    """Of the rounded net's logits from the float teacher's, a mean over the photos."""
    with torch.no_grad(), rounding(net):
        return (net(x) - wanted).square().mean().item()


def test_training_with_rounding_brings_the_rounded_net_nearer(net):
    """Two input channels of the stem are tiny beside the third, so that int8 has few steps for them: a net that breaks."""
    x = torch.randn(16, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        stem = next(m for m in net.modules() if isinstance(m, torch.nn.Conv2d))
        stem.weight[:, 0].mul_(20)
        wanted = net(x)
    before = distance(net, x, wanted)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    for _ in range(40):
        optimizer.zero_grad()
        with rounding(net):
            (net(x) - wanted).square().mean().backward()
        optimizer.step()
    assert distance(net, x, wanted) < before / 2


@pytest.fixture(scope="module")
def recipe(tiny_recipe):
    calm = {"randaugment": 0.0, "mixup": 0.0, "cutmix": 0.0, "erasing": 0.0, "dropout": 0.0, "drop_path": 0.0}
    phases = (dataclasses.replace(tiny_recipe.phases[0], **calm),)
    return dataclasses.replace(tiny_recipe, phases=phases, optimizer=Sgd(lr=0.01), schedule=Constant(), bn_frozen=True)


def test_micro_batches_change_nothing_but_rounding(recipe, tiny_photos, tmp_path, quiet):
    """Sums differ in their last bit, which moves some activations to the next of 255 steps: hence the tolerance."""
    for name, photos in (("whole", "auto"), ("micro", 4)):
        run(dataclasses.replace(recipe, int8=True, micro_batch=photos), tiny_photos, tmp_path / name, progress=quiet)
    folders = (tmp_path / "whole", tmp_path / "micro")
    whole, micro = (read_tensors(f / "last.ckpt", kind="checkpoint", remedy="")[0] for f in folders)
    torch.testing.assert_close(micro, whole, rtol=0, atol=1e-3)


def test_int8_goes_on_with_a_run_its_classifier_too_and_makes_a_difference(recipe, tiny_photos, tmp_path, quiet):
    run(recipe, tiny_photos, tmp_path / "first", progress=quiet)
    still = dataclasses.replace(recipe, pretrained=str(tmp_path / "first"), optimizer=Sgd(lr=1e-12), ema=0.0)
    run(dataclasses.replace(still, int8=True), tiny_photos, tmp_path / "again", progress=quiet)
    first, again = read_model(tmp_path / "first").state, read_model(tmp_path / "again").state
    torch.testing.assert_close(dict(again), dict(first), rtol=0, atol=1e-6)
    hashes = set()
    for int8 in (False, True):
        folder = tmp_path / str(int8)
        run(dataclasses.replace(recipe, int8=int8), tiny_photos, folder, progress=quiet)
        hashes.add(str(hash_checkpoint(folder / "last.ckpt")))
    assert len(hashes) == 2


@pytest.mark.parametrize("change", [{"precision": "bf16"}, {"compile": "on", "precision": "fp32"}])
def test_what_does_not_go_with_it_is_refused(change, tiny_recipe):
    with pytest.raises(SettingError, match="int8 rounds what float32 computes"):
        dataclasses.replace(tiny_recipe, int8=True, **change)
