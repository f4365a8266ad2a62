from __future__ import annotations

import dataclasses
import hashlib

import pytest
import torch

from linnet.data.preprocess import Preprocess
from linnet.training.batches import augmentation, batches_of
from linnet.training.distributed import Place


def test_batches_follow_the_phase_of_their_epoch(tiny_recipe, tiny_photos):
    for epoch, image in ((0, 24), (1, 32), (2, 32)):
        found = list(batches_of(tiny_recipe, tiny_photos, Preprocess(), epoch=epoch))
        assert [tuple(batch.images.shape) for batch in found] == [(8, image, image, 3)] * 6


def test_a_later_first_batch_leaves_out_the_earlier_and_changes_none(tiny_recipe, tiny_photos):
    whole = list(batches_of(tiny_recipe, tiny_photos, Preprocess(), epoch=1))
    rest = list(batches_of(tiny_recipe, tiny_photos, Preprocess(), epoch=1, first=4))
    assert len(rest) == 2
    for one, other in zip(whole[4:], rest, strict=True):
        assert torch.equal(one.images, other.images)
        assert torch.equal(one.index, other.index)


def test_the_recipe_s_values_reach_the_augmentation(tiny_recipe):
    recipe = dataclasses.replace(tiny_recipe, crop_area=(0.3, 0.9), flip=0.25, randaugment_layers=3)
    made = augmentation(recipe, recipe.phases[1], Preprocess(interpolation="bilinear", upright=False))
    assert (made.image, made.randaugment, made.layers, made.erasing) == (32, 5.0, 3, 0.2)
    assert (made.crop_area, made.flip, made.interpolation, made.upright) == ((0.3, 0.9), 0.25, "bilinear", False)


def test_balanced_sampling_reaches_the_batches(tiny_recipe, tiny_photos):
    """Of 48 photos 16 have each label; with 8 of one class left, an epoch still sees 16 of it."""
    few = tuple(photo for photo in tiny_photos.train if photo.label or photo.path.name < "024.png")
    assert [sum(photo.label == label for photo in few) for label in range(3)] == [8, 16, 16]
    photos = dataclasses.replace(tiny_photos, train=few)
    recipe = dataclasses.replace(tiny_recipe, sampling="balanced")
    labels = torch.cat([batch.labels for batch in batches_of(recipe, photos, Preprocess(), epoch=0)])
    assert sorted(labels.bincount().tolist()) == [13, 13, 14]


def test_policy_jitter_cutout_and_repeats_reach_the_pictures(tiny_recipe, tiny_photos):
    phases = tuple(dataclasses.replace(phase, randaugment=0.0) for phase in tiny_recipe.phases)
    plain = dataclasses.replace(tiny_recipe, phases=phases)
    settings = {"policy": "trivialaugment", "color_jitter": (0.1, 0.2, 0.3, 0.4), "cutout": 0.25}
    made = augmentation(dataclasses.replace(plain, **settings), phases[0], Preprocess())
    assert (made.policy, tuple(made.jitter), made.cutout) == ("trivialaugment", (0.1, 0.2, 0.3, 0.4), 0.25)
    first = lambda recipe: next(batches_of(recipe, tiny_photos, Preprocess(), epoch=0))  # noqa: E731
    before = first(plain)
    for name, value in settings.items():
        assert not torch.equal(first(dataclasses.replace(plain, **{name: value})).images, before.images), name
    twice = first(dataclasses.replace(plain, repeats=2))
    assert twice.index[:4].tolist() == twice.index[4:].tolist() == before.index[:4].tolist()


@pytest.mark.filterwarnings("ignore:This DataLoader will create 3 worker processes")  # on fewer cores
def test_order_and_global_batches_are_the_same_for_any_processes_and_workers(tiny_recipe, tiny_photos):
    """One hash for 1, 2 and 4 processes, 0, 2 and 3 workers, whole groups of BatchNorm or not, from a later batch on."""
    hashes = set()
    for world, workers, group in (
        (1, 0, None),
        (2, 0, 4),
        (4, 0, 2),
        (1, 2, None),
        (2, 3, None),
        (4, 2, None),
        (1, 3, 3),
    ):
        recipe = dataclasses.replace(tiny_recipe, bn_group=group)
        shares = [
            list(
                batches_of(
                    recipe, tiny_photos, Preprocess(), epoch=1, first=2, workers=workers, place=Place(rank, world)
                )
            )
            for rank in range(world)
        ]
        digest = hashlib.sha256()
        for parts in zip(*shares, strict=True):  # the processes' shares of one global batch
            assert all(len(part.labels) % (group or 1) == 0 for part in parts[:-1])
            for column in ("index", "labels", "images"):
                digest.update(torch.cat([getattr(part, column) for part in parts]).numpy().tobytes())
        hashes.add(digest.hexdigest())
    assert len(hashes) == 1
