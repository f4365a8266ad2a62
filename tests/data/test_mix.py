from __future__ import annotations

import pytest
import torch

from linnet.data.augment import random_numbers
from linnet.data.mix import mix, smooth_targets, step_numbers

CLASSES = 5


def batch(n: int = 6, side: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    """Picture i is all i + 1, its label i % 5: what was mixed into what can be read from the values."""
    images = (torch.arange(n, dtype=torch.float32) + 1).view(n, 1, 1, 1).expand(n, 3, side, side).contiguous()
    return images, torch.arange(n) % CLASSES


def mixed(step: int, *, mixup: float = 0.0, cutmix: float = 0.0, smoothing: float = 0.0, n: int = 6):
    images, labels = batch(n)
    targets = smooth_targets(labels, CLASSES, smoothing)
    return mix(images, targets, mixup=mixup, cutmix=cutmix, rng=step_numbers(0, step))


def test_the_numbers_of_a_step_are_its_own() -> None:
    draws = {tuple(step_numbers(seed, step).integers(0, 2**63, 4)) for seed in (0, 1) for step in range(50)}
    samples = {tuple(random_numbers(0, 0, index).integers(0, 2**63, 4)) for index in range(50)}
    assert len(draws) == 100
    assert not draws & samples
    assert tuple(step_numbers(0, 3).random(3)) == tuple(step_numbers(0, 3).random(3))


def test_off_changes_nothing_but_smooths_the_targets() -> None:
    images, targets = mixed(0, smoothing=0.1)
    assert torch.equal(images, batch()[0])
    assert targets[0].tolist() == pytest.approx([0.92, 0.02, 0.02, 0.02, 0.02])


def test_smoothing_equals_torchs() -> None:
    logits, labels = torch.randn(6, CLASSES, generator=torch.Generator().manual_seed(0)), torch.arange(6) % CLASSES
    ours = torch.nn.functional.cross_entropy(logits, smooth_targets(labels, CLASSES, 0.1))
    torch.testing.assert_close(ours, torch.nn.functional.cross_entropy(logits, labels, label_smoothing=0.1))


def test_mixup_blends_pictures_and_targets_in_the_same_share() -> None:
    shares = []
    for step in range(40):
        images, targets = mixed(step, mixup=0.8)
        assert (images == images[:, :1, :1, :1]).all()
        share = float(targets[1, 1])
        assert targets[1, 0] == pytest.approx(1 - share, abs=1e-6)
        assert images[1, 0, 0, 0] == pytest.approx(2 * share + 1 * (1 - share), abs=1e-5)
        shares.append(share)
    assert len(set(shares)) == 40
    assert min(shares) < 0.2
    assert max(shares) > 0.8


def test_cutmix_patches_pictures_and_weighs_targets_by_the_area() -> None:
    seen = set()
    for step in range(40):
        images, targets = mixed(step, cutmix=1.0)
        own = (images[1] == 2).float().mean().item()
        other = (images[1] == 1).float().mean().item()
        assert own + other == pytest.approx(1)
        assert targets[1, 1] == pytest.approx(own, abs=1e-6)
        assert targets[1, 0] == pytest.approx(other, abs=1e-6)
        patch = images[1, 0] == 1
        if patch.any():
            rows, columns = patch.any(1).nonzero().ravel(), patch.any(0).nonzero().ravel()
            assert patch[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
        seen.add(round(own, 3))
    assert len(seen) > 10


def test_with_both_on_half_of_the_batches_get_each() -> None:
    cut = sum(
        bool((images != images[:, :1, :1, :1]).any()) for images, _ in (mixed(s, mixup=1, cutmix=1) for s in range(300))
    )
    assert 100 < cut < 190  # a patch of no or all pixels looks like neither


@pytest.mark.parametrize("how", [{"mixup": 0.4}, {"cutmix": 1.0}, {"mixup": 1.0, "cutmix": 1.0}], ids=str)
def test_targets_sum_to_one_and_inputs_stay_as_they_were(how: dict[str, float]) -> None:
    images, labels = batch()
    given = smooth_targets(labels, CLASSES, 0.1)
    for step in range(10):
        _, targets = mix(images, given, rng=step_numbers(7, step), **{"mixup": 0, "cutmix": 0, **how})
        assert targets.dtype == torch.float32
        torch.testing.assert_close(targets.sum(1), torch.ones(6))
    assert torch.equal(images, batch()[0])
    assert torch.equal(given, smooth_targets(batch()[1], CLASSES, 0.1))


def test_one_picture_alone_has_nothing_to_mix_with() -> None:
    images, targets = mixed(0, mixup=1.0, cutmix=1.0, n=1)
    assert torch.equal(images, batch(1)[0])
    assert targets.tolist() == [[1, 0, 0, 0, 0]]


def test_memory_format_and_type_are_kept() -> None:
    images, labels = batch()
    images = images.to(torch.bfloat16).contiguous(memory_format=torch.channels_last)
    for how in ({"mixup": 1.0, "cutmix": 0.0}, {"mixup": 0.0, "cutmix": 1.0}):
        given, _ = mix(images, smooth_targets(labels, CLASSES, 0.0), rng=step_numbers(0, 1), **how)
        assert given.dtype == torch.bfloat16
        assert given.is_contiguous(memory_format=torch.channels_last)
