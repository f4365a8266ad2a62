from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch

from linnet.data.cuts import cuts
from linnet.data.preprocess import Preprocess
from linnet.errors import DataError, SettingError
from linnet.nn.build import build
from linnet.training import prepare as module
from linnet.training.distributed import Place
from linnet.training.loss import Loss
from linnet.training.measure import Candidate
from linnet.training.prepare import default_workers, hash_photos, loss_of, normaliser, prepare, resolve
from linnet.training.recipe import Phase, Recipe
from linnet.training.several import with_loss

CPU = torch.device("cpu")


@pytest.fixture
def prepared(tiny_recipe, tiny_photos, tmp_path, quiet):
    r = prepare(tiny_recipe, tiny_photos, tmp_path, resume=False, progress=quiet)
    yield r
    r.log.close()


def test_the_folder_says_everything_before_the_first_step(prepared):
    recipe = Recipe.load(prepared.folder / "recipe.json")
    assert recipe == prepared.recipe
    assert "auto" not in (recipe.workers, recipe.threads, recipe.precision, recipe.memory_format)
    assert recipe.preprocess == Preprocess(image=32).to_json()
    assert json.loads((prepared.folder / "environment.json").read_text())["packages"]["torch"]
    assert (prepared.folder / "last.ckpt").exists()


def test_steps_and_work_are_counted_by_phase(prepared):
    assert [prepared.steps(epoch) for epoch in range(3)] == [6, 6, 6]
    assert prepared.work(0) == 0
    assert prepared.work(1, 2) == 6 * 8 * 24**2 + 2 * 8 * 32**2
    assert prepared.work(3) == 6 * 8 * 24**2 + 12 * 8 * 32**2
    prepared.recipe = dataclasses.replace(prepared.recipe, phases=(Phase(batch=500, image=16),))
    assert prepared.steps(0) == 1
    assert prepared.work(1) == 48 * 16**2
    prepared.recipe = dataclasses.replace(prepared.recipe, phases=(Phase(epochs=3, batch=8, image=32, sizes=(16, 32)),))
    plan = [cuts(48, batch=8, image=32, sizes=(16, 32), seed=0, epoch=epoch) for epoch in range(3)]
    assert [prepared.steps(epoch) for epoch in range(3)] == [len(cut) for cut in plan]
    assert len({len(cut) for cut in plan}) > 1
    done = sum((c.stop - c.start) * c.image**2 for c in (*plan[0], *plan[1][:2]))
    assert prepared.work(1, 2) == done


def test_auto_is_measured_where_most_of_the_work_is(tiny_arch, tiny_recipe, monkeypatch):
    seen = {}

    def choose(net, **given):
        seen.update(given)
        return Candidate("channels_last", "bf16", 9.0), ()

    monkeypatch.setattr(module.measure, "choose", choose)
    recipe = dataclasses.replace(
        tiny_recipe,
        precision="auto", memory_format="auto", workers="auto", threads="auto",
        phases=(Phase(epochs=10, image=64, batch=16), Phase(epochs=1, image=128, batch=8)),
    )  # fmt: skip
    resolved, _ = resolve(recipe, build(tiny_arch), Preprocess(crop=1.0), CPU, 99)
    assert (seen["image"], seen["batch"], seen["memory_format"], seen["precision"]) == (64, 16, "auto", "auto")
    assert (resolved.precision, resolved.memory_format) == ("bf16", "channels_last")
    assert isinstance(resolved.workers, int)
    assert isinstance(resolved.threads, int)
    assert resolved.preprocess == Preprocess(crop=1.0, image=128).to_json()
    chosen = dataclasses.replace(recipe, eval_image=96, preprocess={"crop": 0.9})
    resolved, _ = resolve(chosen, build(tiny_arch), Preprocess(), CPU, 99)
    assert resolved.preprocess == Preprocess(image=96, crop=0.9).to_json()
    resolved, _ = resolve(chosen, build(tiny_arch), Preprocess(mean=(0.5,) * 3, mode="squash"), CPU, 99)
    assert resolved.preprocess == Preprocess(image=96, crop=0.9, mean=(0.5,) * 3, mode="squash").to_json()


@pytest.mark.parametrize(
    ("given", "world", "measured"),
    [({}, 1, 64), ({}, 8, 64), ({}, 128, 32), ({"micro_batch": 16}, 1, 16), ({"micro_batch": 256}, 1, 64)],
)
def test_no_more_is_measured_than_a_process_has_at_a_time(given, world, measured, tiny_arch, tiny_recipe, monkeypatch):
    seen = []

    def choose(net, *, batch, **rest):
        seen.append((batch, net.grad_checkpointing))
        return Candidate("contiguous", "fp32"), ()

    monkeypatch.setattr(module.measure, "choose", choose)
    recipe = dataclasses.replace(tiny_recipe, phases=(Phase(batch=4096),), recompute=True, **given)
    resolve(recipe, build(tiny_arch), Preprocess(), CPU, 10_000, Place(world=world))
    assert seen == [(measured, True)]


def test_what_is_measured_is_the_batch_that_will_be_trained(tiny_recipe, tiny_photos, tmp_path, quiet, monkeypatch):
    batches = []
    choose = module.measure.choose
    monkeypatch.setattr(module.measure, "choose", lambda *a, **k: batches.append(k["batch"]) or choose(*a, **k))
    few = dataclasses.replace(tiny_photos, train=tiny_photos.train[:5])
    prepare(tiny_recipe, few, tmp_path, resume=False, progress=quiet).log.close()
    assert batches == [5]


def test_workers_leave_a_single_core_alone():
    assert [default_workers(CPU, cores) for cores in (1, 2, 8)] == [0, 1, 2]
    assert default_workers(torch.device("cuda"), 64) == 16


@pytest.mark.parametrize("channels", ["RGB", "BGR"])
@pytest.mark.parametrize("layout", ["contiguous", "channels_last"])
def test_images_are_normalised_as_preprocess_says(channels, layout):
    preprocess = Preprocess(channels=channels)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3), dtype=np.uint8)
    found = normaliser(preprocess, CPU, layout)(torch.from_numpy(pixels))
    assert np.array_equal(found.numpy(), preprocess.normalise(pixels))
    assert found.is_contiguous(memory_format=module.measure.FORMATS[layout])


def test_photos_are_known_by_content_order_and_classes(tiny_photos):
    known = hash_photos(tiny_photos)
    moved = tuple(dataclasses.replace(p, path=p.path.with_name("x")) for p in tiny_photos.train)
    assert hash_photos(dataclasses.replace(tiny_photos, train=moved)) == known
    for other in (
        {"train": tiny_photos.train[::-1]},
        {"train": tiny_photos.train[1:]},
        {"classes": ("a", "b", "c")},
        {"validation": tiny_photos.validation[1:]},
        {"train": (), "validation": tiny_photos.train + tiny_photos.validation},
        {"train": (dataclasses.replace(tiny_photos.train[0], label=2), *tiny_photos.train[1:])},
    ):
        assert hash_photos(dataclasses.replace(tiny_photos, **other)) != known


def test_pretrained_weights_are_taken_all_but_the_classifier(tiny_recipe, tiny_photos, tmp_path, quiet, monkeypatch):
    from linnet.arch.spec import Arch
    from linnet.weights.model import Model

    torch.manual_seed(9)
    arch = Arch.from_json(tiny_recipe.arch).styled("tiny", eps=1e-3)  # these weights need another eps
    state = build(arch).state_dict()
    model = Model(arch, (), Preprocess(mean=(0.5,) * 3), state, {"licence": "Apache-2.0"})
    monkeypatch.setattr(module, "find_weights", lambda name, arch: model)
    monkeypatch.setattr("linnet.weights.pretrained.check_pretrained", lambda name, arch: None)  # they are offered
    recipe = dataclasses.replace(tiny_recipe, pretrained="tiny")
    restricted = dataclasses.replace(model, facts={"pretrained": "tiny", "licence": {"name": "CC-BY-NC-4.0"}})
    monkeypatch.setattr(module, "find_weights", lambda name, arch: restricted)
    said = []
    monkeypatch.setattr(quiet, "say", said.append)
    prepare(recipe, tiny_photos, tmp_path / "restricted", resume=False, progress=quiet).log.close()
    assert said == ["The licence of the weights tiny is CC-BY-NC-4.0, which restricts what they may be used for."]
    assert said[0] in (tmp_path / "restricted" / "log.jsonl").read_text()
    monkeypatch.setattr(module, "find_weights", lambda name, arch: model)
    r = prepare(recipe, tiny_photos, tmp_path, resume=False, progress=quiet)
    r.log.close()
    for name, tensor in r.net.state_dict().items():
        if not name.startswith("head.classifier"):
            assert torch.equal(tensor, state[name]), name
    assert r.net.get_classifier().weight.shape == (3, 32)
    assert not r.net.get_classifier().weight.any()
    own = dataclasses.replace(
        model, classes=tiny_photos.classes, state=r.net.state_dict() | {"head.classifier.bias": torch.ones(3)}
    )
    monkeypatch.setattr(module, "find_weights", lambda name, arch: own)
    again = prepare(recipe, tiny_photos, tmp_path / "again", resume=False, progress=quiet)
    again.log.close()
    assert again.net.get_classifier().bias.all(), "the classifier of the very same classes goes on"
    assert r.recipe.preprocess == Preprocess(mean=(0.5,) * 3, image=32).to_json()
    assert r.facts == {"licence": "Apache-2.0"}
    assert len(said) == 1  # a free licence is not spoken of
    assert r.net.arch.style.eps == 1e-3
    again = prepare(None, tiny_photos, tmp_path, resume=True, progress=quiet)
    again.log.close()
    assert again.facts == r.facts
    assert again.net.arch == r.net.arch


def test_another_machine_is_said_when_going_on(prepared, tiny_photos, quiet):
    path = prepared.folder / "environment.json"
    before = json.loads(path.read_text())
    path.write_text(json.dumps({**before, "processor": "abacus"}))
    again = prepare(None, tiny_photos, prepared.folder, resume=True, progress=quiet)
    again.log.close()
    assert "processor abacus, now" in (prepared.folder / "log.jsonl").read_text()


def test_what_cannot_be_trained_is_refused(tiny_recipe, tiny_photos, tmp_path, quiet):
    with pytest.raises(DataError, match="at least 2"):
        prepare(tiny_recipe, dataclasses.replace(tiny_photos, train=()), tmp_path, resume=False, progress=quiet)
    with pytest.raises(SettingError, match="needs a recipe"):
        prepare(None, tiny_photos, tmp_path, resume=False, progress=quiet)
    assert list(tmp_path.iterdir()) == []


def test_class_weights_come_from_the_photos_to_train_on(tiny_recipe, tiny_photos):
    assert loss_of(with_loss(tiny_recipe, tiny_photos), tiny_photos, torch.device("cpu")) == Loss()
    few = tuple(photo for photo in tiny_photos.train if photo.label or photo.path.name < "024.png")
    recipe = dataclasses.replace(tiny_recipe, class_weights="balanced", loss="focal", focal_gamma=1.0)
    loss = loss_of(recipe, dataclasses.replace(tiny_photos, train=few), torch.device("cpu"))
    assert (loss.kind, loss.gamma) == ("focal", 1.0)
    assert loss.weights is not None
    assert loss.weights.tolist() == pytest.approx([40 / 24, 40 / 48, 40 / 48])
