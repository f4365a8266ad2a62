from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from timm.layers.pos_embed import resample_abs_pos_embed
from torch import Tensor

from linnet.arch.names import find
from linnet.arch.spec import Arch, Layer, Pool, Style
from linnet.arch.vit import Patchify, Tokens
from linnet.errors import SettingError
from linnet.nn.build import build
from linnet.nn.module import module
from linnet.nn.net import Net
from linnet.nn.vit import PatchConv, Positions, resize_positions


def small(name: str = "vit_tiny_patch16_224", image: int = 64) -> Arch:
    arch = find(name).scaled(width=1 / 3, depth=1 / 6, image=image)
    assert [layer.cout for _, layer in arch.layers()][:2] == [64, 64]
    return arch.with_classes(5)


def positions_of(net: Net) -> Positions:
    found = net.stem[1][0]  # type: ignore[index]
    assert isinstance(found, Positions)
    return found


def positions(before: int = 1, size: tuple[int, int] = (4, 3), c: int = 8) -> Positions:
    made = module(Tokens(before), Layer(Tokens(before), c, c, 1, size, 1, Style()))
    assert isinstance(made, Positions)
    return made


@pytest.mark.parametrize(("before", "old", "new"), [
    (1, (14, 14), (24, 24)), (1, (14, 14), (7, 7)), (2, (14, 14), (10, 20)), (0, (4, 6), (6, 4)), (1, (4, 6), (4, 6)),
])  # fmt: skip
def test_positions_are_resized_as_timm_does(before: int, old: tuple[int, int], new: tuple[int, int]) -> None:
    own = torch.randn(1, before + old[0] * old[1], 16)
    wanted = resample_abs_pos_embed(own, list(new), list(old), num_prefix_tokens=before)
    torch.testing.assert_close(resize_positions(own, before, old, new), wanted, rtol=1e-5, atol=1e-5)
    half = resize_positions(own.bfloat16(), before, old, new)  # the sums in float32
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), wanted, rtol=0.02, atol=0.02)


@torch.no_grad()
def test_a_map_becomes_its_rows_of_tokens_behind_those_in_front() -> None:
    own, x = positions(before=2), torch.randn(2, 8, 4, 3)
    y = own(x) - own.positions
    assert own.class_token is not None
    assert own.distillation_token is not None
    torch.testing.assert_close(y[:, 0], own.class_token[:, 0].expand(2, -1))
    torch.testing.assert_close(y[:, 1], own.distillation_token[:, 0].expand(2, -1))
    torch.testing.assert_close(y[:, 2 + 1 * 3 + 2], x[:, :, 1, 2])
    last = x.contiguous(memory_format=torch.channels_last)
    assert torch.equal(own(last), own(x))
    bare = positions(before=0)
    assert list(bare.state_dict()) == ["positions"]
    torch.testing.assert_close(bare(x), x.flatten(2).transpose(1, 2) + bare.positions)


def test_tokens_and_positions_are_drawn_small() -> None:
    own = positions(before=2, size=(20, 20), c=64).requires_grad_(False)
    for p in own.parameters():
        assert abs(float(p.mean())) < 0.01
        assert float(p.std()) == pytest.approx(0.02, rel=0.3)


@torch.no_grad()
def test_positions_of_another_size_are_kept_until_they_change() -> None:
    own = positions()
    first = own.sized((6, 5))
    assert first.shape == (1, 1 + 30, 8)
    assert own.sized((6, 5)) is first
    assert own.sized((4, 3)) is own.positions
    assert own.sized((5, 6)).shape == (1, 31, 8)
    changes = (
        lambda: own.positions.mul_(2),
        lambda: own.load_state_dict({**own.state_dict(), "positions": torch.randn(1, 13, 8)}),
        lambda: own.double(),
        lambda: own.requires_grad_(False),
    )
    for change in changes:
        change()
        wanted = resize_positions(own.positions, 1, (4, 3), (5, 6))
        assert torch.equal(own.sized((5, 6)), wanted)
        assert own.sized((5, 6)) is own.sized((5, 6))
    again = copy.deepcopy(own)
    again.positions.mul_(3)
    assert torch.equal(again.sized((5, 6)), resize_positions(again.positions, 1, (4, 3), (5, 6)))


def test_inference_keeps_nothing_that_hinders_what_follows() -> None:
    own, x = positions(), torch.randn(2, 8, 5, 6)
    with torch.inference_mode():
        seen = own(x)
        made = positions()
        assert torch.equal(made(x), made(x))
    with torch.no_grad():
        assert torch.equal(own(x), seen)
    copy.deepcopy(own)
    own(x).sum().backward()
    assert own.positions.grad is not None


def test_positions_learn_at_every_size() -> None:
    own = positions()
    for size in ((4, 3), (7, 5)):
        own.zero_grad()
        own(torch.randn(2, 8, *size)).square().sum().backward()
        assert own.positions.grad is not None
        assert float(own.positions.grad.abs().min()) > 0


def test_set_size_changes_the_learned_positions() -> None:
    own = positions()
    kept = own.positions
    own.set_size((4, 3))
    assert own.positions is kept
    own.requires_grad_(False)
    with torch.no_grad():
        x = torch.randn(1, 8, 6, 5)
        wanted = own(x)
        own.set_size((6, 5))
        assert torch.equal(own(x), wanted)
    assert own.size == (6, 5)
    assert not own.positions.requires_grad
    assert own.positions.shape == (1, 31, 8)
    assert own.positions.is_leaf
    with torch.device("meta"):
        bare = positions()
        bare.set_size((6, 5))
        assert bare.positions.shape == (1, 31, 8)


@torch.no_grad()
def test_a_network_takes_images_of_other_sizes() -> None:
    net = build(small()).eval()
    for size in ((64, 64), (96, 96), (48, 80)):
        x = torch.randn(2, 3, *size)
        y = net(x)
        assert y.shape == (2, 5)
        assert y.isfinite().all()
        (map_,) = net.features(x)
        assert map_.shape == (2, 64, size[0] // 16, size[1] // 16)
        torch.testing.assert_close(net.stages(net.stem(x))[:, 1:].transpose(1, 2), map_.flatten(2))
        last = net(x.contiguous(memory_format=torch.channels_last))
        torch.testing.assert_close(last, y, rtol=1e-4, atol=1e-5)


def test_images_that_are_not_whole_patches_are_refused() -> None:
    net = build(small()).eval()
    with pytest.raises(SettingError, match="side of 65 pixels is not whole patches of 16 x 16: take 64 or 80"):
        net(torch.randn(1, 3, 64, 65))
    ragged = module(Patchify(ragged=True), Layer(Patchify(ragged=True), 3, 8, 16, (65, 79), 1, Style(norm="layer")))
    assert isinstance(ragged, PatchConv)
    x = torch.randn(1, 3, 65, 79)
    assert torch.equal(ragged(x), ragged(x[..., :64, :64]))
    assert ragged(x).shape == (1, 8, 4, 4)
    torch.testing.assert_close(ragged(x).mean(1), torch.zeros(1, 4, 4), atol=1e-5, rtol=0)  # normed over channels


@pytest.mark.parametrize("size", [(64, 64), (48, 80)])
@torch.no_grad()
def test_an_export_takes_any_batch(size: tuple[int, int]) -> None:
    net = build(small("deit_tiny_distilled_patch16_224")).eval()
    batch = torch.export.Dim("batch")
    program = torch.export.export(net, (torch.randn(2, 3, *size),), dynamic_shapes=({0: batch},)).module()
    x = torch.randn(3, 3, *size)
    torch.testing.assert_close(program(x), net(x), rtol=1e-4, atol=1e-5)


def logits_in_bfloat16(net: Net, x: Tensor) -> Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        return net(x)


def test_training_in_bfloat16_at_another_size() -> None:
    net = build(small()).train()
    x = torch.randn(2, 3, 96, 64)
    y = logits_in_bfloat16(net, x)
    torch.testing.assert_close(y.float(), net(x), rtol=0.1, atol=0.05)
    y.float().square().sum().backward()
    assert [name for name, p in net.named_parameters() if p.grad is None] == []


@torch.no_grad()
def test_every_token_could_be_averaged_instead() -> None:
    """A network without a class token and with the mean of its tokens, as big_vision's are."""
    arch = small()
    cut, tokens = arch.stem
    arch = replace(arch, stem=(cut, replace(tokens, op=Tokens(before=0))), head=(arch.head[0], Pool(), *arch.head[2:]))
    net, x = build(arch).eval(), torch.randn(2, 3, 64, 64)
    assert net.forward_features(x).shape == (2, 16, 64)
    torch.testing.assert_close(net.get_classifier()(net.forward_features(x).mean(1)), net(x))


def test_the_positions_belong_to_the_tables_image() -> None:
    assert positions_of(build(small(image=96))).positions.shape == (1, 37, 64)
