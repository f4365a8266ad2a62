from __future__ import annotations

import copy
import math

import pytest
import torch
from timm.layers.pos_embed_rel import resize_rel_pos_bias_table
from torch import nn

from linnet.nn.window import CosineAttention, WindowAttention, attend, resize_distances

kinds = pytest.mark.parametrize("kind", [WindowAttention, CosineAttention])
Pair = tuple[int, int]


def made(kind: type[WindowAttention], window: Pair = (4, 4), shift: Pair = (0, 0)) -> WindowAttention:
    attention = kind(16, 2, window, shift)
    for p in attention.parameters():
        nn.init.normal_(p, std=0.5)
    return attention.eval()


@kinds
def test_a_pixel_sees_its_window(kind: type[WindowAttention]) -> None:
    x = torch.randn(1, 8, 8, 16, requires_grad=True)
    made(kind)(x)[0, 5, 1].sum().backward()
    assert x.grad is not None
    seen = torch.zeros(8, 8, dtype=torch.bool)
    seen[4:, :4] = True
    assert torch.equal(x.grad[0].abs().sum(-1) > 0, seen)


@kinds
def test_the_mask_parts_what_only_the_roll_brought_together(kind: type[WindowAttention]) -> None:
    """A map of 2 x 2 windows, shifted: a pixel may see those in its window that are its neighbours on the map too."""
    x = torch.randn(1, 8, 8, 16, requires_grad=True)
    made(kind, shift=(2, 2))(x)[0, 0, 0].sum().backward()
    assert x.grad is not None
    seen = torch.zeros(8, 8, dtype=torch.bool)
    seen[:2, :2] = True  # the corner's own part of a window that holds four corners
    assert torch.equal(x.grad[0].abs().sum(-1) > 1e-20, seen)  # the mask's exp(-100) is not quite nothing


@kinds
@torch.no_grad()
def test_a_shift_across_alone_parts_nothing_down(kind: type[WindowAttention]) -> None:
    attention = made(kind, (8, 4), (0, 2))
    x = torch.randn(1, 8, 8, 16)
    # Rolled by hand, the window in the middle is a plain one.
    plain = copy.deepcopy(attention)
    plain.set_window((8, 4), (0, 0))
    torch.testing.assert_close(attention(x)[:, :, 2:6], plain(torch.roll(x, -2, 2))[:, :, :4])


@kinds
@torch.no_grad()
def test_images_do_not_see_each_other(kind: type[WindowAttention]) -> None:
    attention, x = made(kind, shift=(2, 2)), torch.randn(3, 10, 8, 16)
    torch.testing.assert_close(attention(x)[1:2], attention(x[1:2]))


@pytest.mark.parametrize("windows", [1, 3])
def test_a_learned_bias_changes_the_way_but_not_the_result(windows: int) -> None:
    q, k, v = torch.randn(3, 6, 2, 5, 4)
    bias = torch.randn(windows, 2, 5, 5)
    fused = attend(q, k, v, bias)
    assert fused.shape == (6, 5, 8)
    torch.testing.assert_close(attend(q, k, v, bias.requires_grad_()), fused)


@torch.no_grad()
def test_keys_have_no_bias_and_scores_are_scaled_cosines() -> None:
    attention = made(CosineAttention)
    assert isinstance(attention, CosineAttention)
    attention.scale.copy_(torch.tensor([math.log(7), 9.0])[:, None, None])  # the second is above its limit
    q, k, v = attention.split(torch.randn(3, 5, 16))
    torch.testing.assert_close(q.norm(dim=-1)[0, :, 0], torch.tensor([7.0, 100.0]))
    torch.testing.assert_close(k.norm(dim=-1), torch.ones(3, 2, 5))
    assert v.shape == (3, 2, 5, 8)
    q, k, v = attention.split(torch.zeros(1, 5, 16))  # pixels of the padding
    assert not k.any()
    torch.testing.assert_close(v[0, :, 0].flatten(), attention.qkv.value_bias)  # type: ignore[arg-type]


@torch.no_grad()
def test_distances_count_in_parts_of_the_window_of_before() -> None:
    attention = made(CosineAttention, (8, 8))
    assert isinstance(attention, CosineAttention)
    near, far = attention.distance_bias().unflatten(0, (15, 15))[7, 11], attention.distance_bias()[-1]
    attention.measure = 15
    attention.set_window((15, 15), (0, 0))
    wider = attention.distance_bias().unflatten(0, (29, 29))
    torch.testing.assert_close(wider[14, 22], near)  # 8 of 14 is 4 of 7
    torch.testing.assert_close(wider[-1, -1], far)


@kinds
def test_the_bias_is_kept_until_something_changes(kind: type[WindowAttention]) -> None:
    attention = made(kind, shift=(2, 2))

    def changed(how: object = None) -> bool:
        with torch.no_grad():
            before = attention.bias(2, 2)
            if callable(how):
                how()
            after, fresh = attention.bias(2, 2), attention.fresh_bias(2, 2)
        torch.testing.assert_close(after, fresh, rtol=0, atol=0)
        return after is not before

    parameter = next(p for name, p in attention.named_parameters() if "position_bias" in name)
    state = {name: 2 * p for name, p in attention.state_dict().items()}
    assert not changed()
    assert changed(lambda: parameter.mul_(2))
    assert changed(lambda: attention.load_state_dict(state))
    assert changed(lambda: attention.load_state_dict(state, assign=True))
    assert changed(lambda: attention.bias(3, 2))
    assert changed(lambda: attention.set_window((2, 4), (0, 2)))
    assert changed(lambda: attention.train().eval())
    assert changed(lambda: attention.double())
    assert attention.bias(2, 2).requires_grad  # where gradients are asked for it is made anew


@kinds
def test_what_inference_has_kept_does_not_hinder_training(kind: type[WindowAttention]) -> None:
    attention, x = made(kind, shift=(2, 2)), torch.randn(1, 8, 8, 16)
    with torch.inference_mode():
        attention(x)
    attention.requires_grad_(False)
    attention.project.requires_grad_()
    attention(x).sum().backward()
    attention.requires_grad_()
    attention.train()(x).sum().backward()
    assert all(p.grad is not None for p in attention.parameters())


@kinds
@torch.no_grad()
def test_half_precision(kind: type[WindowAttention]) -> None:
    attention, x = made(kind, shift=(2, 2)), torch.randn(1, 8, 8, 16)
    exact = attention(x)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = attention(x)
    assert mixed.dtype == torch.bfloat16
    torch.testing.assert_close(mixed.float(), exact, rtol=0.05, atol=0.3)
    torch.testing.assert_close(attention(x), exact)  # and nothing rough is kept
    torch.testing.assert_close(attention.bfloat16()(x.bfloat16()).float(), exact, rtol=0.05, atol=0.3)


@pytest.mark.parametrize(
    ("old", "new"), [((7, 7), (6, 6)), ((7, 7), (12, 12)), ((6, 7), (7, 7)), ((7, 7), (5, 7)), ((3, 3), (1, 2)), ((7, 7), (7, 7))]
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::UserWarning:timm.layers.interpolate")  # timm's
def test_resized_distances_are_timms(old: Pair, new: Pair) -> None:
    table = torch.randn((2 * old[0] - 1) * (2 * old[1] - 1), 3)
    count = (2 * new[0] - 1) * (2 * new[1] - 1)
    theirs = resize_rel_pos_bias_table(table, new, (count, 3), old)
    ours = table if old == new else resize_distances(table, old, new)
    torch.testing.assert_close(ours, theirs)
    assert resize_distances(torch.randn(1, 3), (1, 1), new).shape == (count, 3)


@pytest.mark.parametrize("shift", [(0, 0), (1, 2)])
def test_a_smaller_window_for_a_while_keeps_the_biases_of_its_distances(shift: Pair) -> None:
    own, small = made(WindowAttention, (4, 5), (0, 0)), made(WindowAttention, (3, 4), (0, 0))
    table = own.position_bias
    small.position_bias.data = table.detach().unflatten(0, (7, 9))[1:6, 1:8].flatten(0, 1).clone()  # up to 2 and 3 away
    for name in ("qkv", "project"):
        getattr(small, name).load_state_dict(getattr(own, name).state_dict())
    x = torch.randn(2, 6, 8, own.qkv.in_features)
    before = own(x)
    own.fit_window((3, 4), shift)
    small.shift = shift
    torch.testing.assert_close(own(x), small(x))
    own.fit_window((9, 9), (0, 0))
    assert own.window == (4, 5)
    assert own.position_bias is table
    torch.testing.assert_close(own(x), before)


def test_a_smaller_window_of_v2_measures_as_its_own() -> None:
    attention = made(CosineAttention, (8, 8), (0, 0))
    whole = attention.distance_bias().unflatten(0, (15, 15))
    attention.fit_window((4, 4), (0, 0))
    torch.testing.assert_close(attention.distance_bias().unflatten(0, (7, 7)), whole[4:11, 4:11])
