from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from linnet.data.preprocess import Preprocess
from linnet.nn.build import build
from linnet.training.pictures import as_pictures
from linnet.training.preview import first_batches, preprocess_of
from linnet.training.recipe import Recipe
from linnet.training.record import Record
from linnet.weights.model import Model, write_model


def test_the_preview_is_what_the_run_sees_to_the_pixel(tiny_recipe, tiny_photos, tmp_path, quiet, monkeypatch):
    """Both phases, with crops, RandAugment, erasing, mixup and cutmix: the batches that the loop made are those shown."""
    from linnet.training.loop import run

    seen = {}

    def first(self, images):
        if self.r.position.step == 0:
            seen[self.r.position.epoch] = as_pictures(images, self.r.preprocess)

    monkeypatch.setattr(Record, "first", first)
    run(tiny_recipe, tiny_photos, tmp_path, progress=quiet)
    shown = list(first_batches(tiny_recipe, tiny_photos, most=5))
    assert [view.epochs for view in shown] == [(1, 1), (2, 3)]
    assert [view.batch for view in shown] == [8, 8]
    for view, epoch in zip(shown, (0, 1), strict=True):
        assert np.array_equal(view.pictures, seen[epoch][:5])
        assert view.targets.shape == (5, 3)
        assert view.targets.sum(1) == pytest.approx(1)
    assert len(next(first_batches(tiny_recipe, tiny_photos, most=99)).photos) == 8


def test_without_mixing_the_target_is_the_photo_s_own_class(tiny_recipe, tiny_photos):
    phases = tuple(dataclasses.replace(phase, mixup=0.0, cutmix=0.0) for phase in tiny_recipe.phases)
    for view in first_batches(dataclasses.replace(tiny_recipe, phases=phases), tiny_photos):
        assert [photo.label for photo in view.photos] == view.targets.argmax(1).tolist()


def test_the_preprocessing_is_that_of_the_weights_and_the_last_size():
    recipe = Recipe(arch="tf_efficientnet_lite0", pretrained="tf_efficientnet_lite0")
    assert preprocess_of(recipe).mean == pytest.approx((127 / 255,) * 3)
    assert preprocess_of(recipe).image == recipe.phases[-1].image
    assert preprocess_of(Recipe()).mean == (0.485, 0.456, 0.406)
    own = dataclasses.replace(recipe, preprocess={"crop": 0.5}, eval_image=96)
    assert (preprocess_of(own).crop, preprocess_of(own).image) == (0.5, 96)
    assert preprocess_of(own).mean == pytest.approx((127 / 255,) * 3)


def test_the_preprocessing_of_weights_in_a_file_is_the_file_s(tiny_recipe, tiny_arch, tmp_path):
    arch, own = tiny_arch.with_classes(3), Preprocess(image=32, mean=(0.5,) * 3, crop=0.7)
    path = tmp_path / "own.safetensors"
    write_model(path, Model(arch, ("a", "b", "c"), own, build(arch).state_dict()))
    assert preprocess_of(dataclasses.replace(tiny_recipe, pretrained=str(path))) == own
