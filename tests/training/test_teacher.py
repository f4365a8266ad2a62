from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch

from linnet.arch.spec import Classifier
from linnet.data.preprocess import Preprocess
from linnet.errors import SettingError, WeightsError
from linnet.nn.build import build
from linnet.training.gradients import backward
from linnet.training.loop import run
from linnet.training.prepare import normaliser, prepare
from linnet.training.recipe import Recipe
from linnet.training.teacher import (
    KeptTeacher,
    NetTeacher,
    Teacher,
    class_order,
    demand_same,
    find_teacher,
    keep_answers,
    part_heads,
    renormalise,
)
from linnet.weights.model import Model, read_model, write_model
from linnet.weights.pretrained import imagenet_classes
from linnet.weights.tensors import hash_tensors

OWN = Preprocess(image=32, mean=(0.5, 0.4, 0.3), std=(0.5, 0.25, 0.2), channels="BGR")


@pytest.fixture(scope="module")
def model(tiny_arch, tiny_photos, tmp_path_factory):
    """A teacher that knows the photos' classes in another order, and wants its pictures its own way."""
    torch.manual_seed(5)
    arch = tiny_arch.with_classes(3)
    path = tmp_path_factory.mktemp("teacher") / "teacher.safetensors"
    write_model(path, Model(arch, tuple(reversed(tiny_photos.classes)), OWN, build(arch).state_dict()))
    return path


@pytest.fixture
def taught(tiny_recipe, model):
    return dataclasses.replace(
        tiny_recipe, teacher=str(model), temperature=2.0, teacher_share=0.7, preprocess=Preprocess(image=32).to_json()
    )


def test_nobody_changes_nothing(tiny_recipe, tiny_photos):
    teacher, targets = find_teacher(tiny_recipe, tiny_photos, torch.device("cpu")), torch.eye(3)
    assert teacher == Teacher()
    assert teacher.known(targets, torch.arange(3)) is targets
    assert teacher.asked(targets, torch.zeros(3, 3, 8, 8)) is targets


@pytest.mark.parametrize("channels", ["RGB", "BGR"])
def test_the_teacher_sees_what_it_would_see_in_use(channels):
    pixels = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    student = Preprocess(channels=channels)
    scale, shift, flip = renormalise(student, OWN)
    images = normaliser(student, torch.device("cpu"), "contiguous")(torch.from_numpy(pixels)) * scale + shift
    theirs = torch.from_numpy(OWN.normalise(pixels))
    torch.testing.assert_close(images.flip(1) if flip else images, theirs, atol=1e-5, rtol=1e-5)


def test_a_network_answers_in_the_order_of_the_photos_classes(taught, tiny_photos, model):
    teacher = find_teacher(taught, tiny_photos, torch.device("cpu"))
    assert isinstance(teacher, NetTeacher)
    pixels = torch.randint(0, 256, (4, 32, 32, 3), dtype=torch.uint8)
    images = normaliser(Preprocess(), torch.device("cpu"), "contiguous")(pixels)
    logits = read_model(model).net()(torch.from_numpy(OWN.normalise(pixels.numpy()))).detach()
    targets = torch.eye(3)[[0, 1, 2, 0]]
    both = teacher.asked(targets, images)
    assert torch.equal(both[:, :3], targets)
    torch.testing.assert_close(both[:, 3:], (logits.flip(1) / 2).softmax(1), atol=1e-4, rtol=1e-4)
    hard = dataclasses.replace(teacher, hard=True).asked(targets, images)
    assert torch.equal(hard[:, 3:].argmax(1), logits.flip(1).argmax(1))
    assert torch.equal(hard[:, 3:].sum(1), torch.ones(4))


def test_kept_answers_are_those_of_the_network_in_use(taught, tiny_photos, model, tmp_path):
    path = keep_answers(str(model), tiny_photos, tmp_path / "answers.safetensors", workers=0)
    teacher = find_teacher(dataclasses.replace(taught, teacher=str(path)), tiny_photos, torch.device("cpu"))
    assert isinstance(teacher, KeptTeacher)
    index = torch.tensor([7, 0, 30])
    seen = np.stack([OWN.normalise(OWN.read(tiny_photos.train[i].path)) for i in index.tolist()])
    logits = read_model(model).net()(torch.from_numpy(seen)).detach().flip(1)
    both = teacher.known(torch.zeros(3, 3), index)
    torch.testing.assert_close(both[:, 3:], (logits / 2).softmax(1), atol=1e-4, rtol=1e-4)
    turned = dataclasses.replace(tiny_photos, train=tiny_photos.train[::-1])
    teacher = find_teacher(dataclasses.replace(taught, teacher=str(path)), turned, torch.device("cpu"))
    torch.testing.assert_close(teacher.known(torch.zeros(3, 3), len(turned.train) - 1 - index), both)
    with pytest.raises(SettingError, match="something there already"):
        keep_answers(str(model), tiny_photos, path)
    more = (*tiny_photos.train, dataclasses.replace(tiny_photos.train[0], digest="0" * 64))
    with pytest.raises(SettingError, match="no answer for 1 of 49 photos"):
        find_teacher(
            dataclasses.replace(taught, teacher=str(path)),
            dataclasses.replace(tiny_photos, train=more),
            torch.device("cpu"),
        )


def test_runs_and_bundles_are_found_by_their_folders(taught, tiny_photos, model, finished, tmp_path, monkeypatch):
    """A run's network is its best; a bundle may lie in the working folder, where a bare name means no file else."""
    bundle = tmp_path / "shoes.linnet"
    bundle.mkdir()
    (bundle / "weights.safetensors").write_bytes(model.read_bytes())
    monkeypatch.chdir(tmp_path)
    for name, folder in (("shoes.linnet", bundle), (str(finished), finished)):
        teacher = find_teacher(dataclasses.replace(taught, teacher=name), tiny_photos, torch.device("cpu"))
        assert isinstance(teacher, NetTeacher)
        assert teacher.sha256.startswith(hash_tensors(read_model(folder).state) + " ")
    gone = dataclasses.replace(taught, teacher="gone.linnet")
    with pytest.raises(WeightsError, match=r"gone\.linnet: there is no such file"):
        find_teacher(gone, tiny_photos, torch.device("cpu"))


def test_a_note_on_the_classes_is_kept_with_the_answers(taught, tiny_photos, model, tmp_path):
    named = read_model(model)
    write_model(tmp_path / "t.safetensors", dataclasses.replace(named, classes=("class 0", "class 1", "class 2")))
    path = keep_answers(str(tmp_path / "t.safetensors"), tiny_photos, tmp_path / "answers.safetensors", workers=0)
    teacher = find_teacher(dataclasses.replace(taught, teacher=str(path)), tiny_photos, torch.device("cpu"))
    assert "does not name its classes" in teacher.note


def test_a_teacher_is_another_one_with_other_classes_or_pictures(taught, tiny_photos, model, tmp_path):
    """A run began with the first; in the older form of its hash, that of the weights alone, all are alike."""
    one = read_model(model)
    others = [
        dataclasses.replace(one, classes=(one.classes[1], one.classes[0], one.classes[2])),
        dataclasses.replace(one, preprocess=dataclasses.replace(OWN, mean=(0.1, 0.2, 0.3))),
        dataclasses.replace(
            one, arch=dataclasses.replace(one.arch, style=dataclasses.replace(one.arch.style, eps=0.1))
        ),
    ]
    found = []
    for i, other in enumerate([one, *others]):
        write_model(tmp_path / f"{i}.safetensors", other)
        recipe = dataclasses.replace(taught, teacher=str(tmp_path / f"{i}.safetensors"))
        found.append(find_teacher(recipe, tiny_photos, torch.device("cpu")))
    (tmp_path / "environment.json").write_text(json.dumps({"teacher": found[0].sha256}))
    demand_same(found[0], tmp_path)
    for teacher in (*found[1:], Teacher()):
        with pytest.raises(WeightsError, match="not the one that the run began with"):
            demand_same(teacher, tmp_path)
    (tmp_path / "environment.json").write_text(json.dumps({"teacher": hash_tensors(one.state)}))
    demand_same(found[1], tmp_path)
    with pytest.raises(WeightsError):
        demand_same(Teacher(), tmp_path)
    (tmp_path / "environment.json").write_text("{}")
    demand_same(Teacher(), tmp_path)
    with pytest.raises(WeightsError):
        demand_same(found[0], tmp_path)


def test_classes_must_agree():
    assert class_order(("b", "a"), ("a", "b"), "t") == ([1, 0], "")
    order, note = class_order(("class 0", "class 1"), ("a", "b"), "t")
    assert order == [0, 1]
    assert "does not name its classes" in note
    folders = [f"n{i:08}" for i in range(1000)]
    assert class_order(imagenet_classes(), folders, "t")[0] == list(range(1000))
    for theirs, said in ((("a", "c"), "does not know 'b'"), (("a", "b", "c"), "it knows others too")):
        with pytest.raises(SettingError, match=said):
            class_order(theirs, ("a", "b"), "t")


@pytest.mark.parametrize("setting", [{"temperature": 2.0}, {"teacher_hard": True}], ids=str)
def test_a_taught_run_resumes_to_the_bit_and_refuses_another_teacher(
    setting, tiny_recipe, taught, tiny_photos, model, tmp_path, quiet, finished, outcome
):
    recipe = dataclasses.replace(tiny_recipe, teacher=str(model), **setting)
    run(recipe, tiny_photos, tmp_path / "whole", progress=quiet)
    assert outcome(tmp_path / "whole")["model"] != outcome(finished)["model"]

    class Cut(Exception):
        pass

    class At(type(quiet)):
        left = 9

        def step(self, *args):
            self.left -= 1
            if not self.left:
                raise Cut

    with pytest.raises(Cut):
        run(recipe, tiny_photos, tmp_path / "cut", progress=At(quiet=True))
    run(None, tiny_photos, tmp_path / "cut", resume=True, progress=quiet)
    assert outcome(tmp_path / "cut") == outcome(tmp_path / "whole")
    environment = tmp_path / "cut/environment.json"
    environment.write_text(json.dumps({**json.loads(environment.read_text()), "teacher": "another"}))
    with pytest.raises(WeightsError, match="not the one that the run began with"):
        run(None, tiny_photos, tmp_path / "cut", resume=True, progress=quiet)


def test_the_teacher_sees_no_more_photos_at_once_than_the_student(tiny_recipe, tiny_photos, model, tmp_path, quiet):
    recipe = dataclasses.replace(tiny_recipe, teacher=str(model), micro_batch=2, bn_group=2)
    r = prepare(recipe, tiny_photos, tmp_path, resume=False, progress=quiet)
    seen = []
    r.teacher.net.register_forward_pre_hook(lambda _, x: seen.append(len(x[0])))
    r.net.train()
    backward(r, torch.randn(8, 3, 32, 32), torch.eye(3)[[0, 1, 2, 0, 1, 2, 0, 1]], None)
    r.log.close()
    assert seen == [2, 2, 2, 2]


def test_kept_answers_are_mixed_as_the_labels_are(tiny_recipe, tiny_photos, tmp_path, quiet, monkeypatch):
    """A teacher that is as sure as the labels gives, after mixup and cutmix, the same targets as they do."""
    seen = []
    monkeypatch.setattr(KeptTeacher, "asked", lambda self, targets, images: seen.append(targets) or targets)
    sure = 100 * torch.eye(3)[[photo.label for photo in tiny_photos.train]]
    kept = KeptTeacher(logits=sure)
    monkeypatch.setattr("linnet.training.prepare.find_teacher", lambda *given: kept)
    recipe = dataclasses.replace(tiny_recipe, label_smoothing=0.0, teacher="resnet50")
    run(recipe, tiny_photos, tmp_path, progress=quiet)
    targets = torch.cat(seen)
    assert targets.shape == (3 * 48, 6)
    torch.testing.assert_close(targets[:, :3], targets[:, 3:])
    assert ((targets > 0.01) & (targets < 0.99)).any()  # they were mixed


def test_the_second_classifier_learns_from_the_teacher_alone(taught, tiny_photos, tmp_path, quiet):
    arch = {**taught.arch, "head": [*taught.arch["head"][:-1], Classifier(heads=2).to_json()]}
    recipe = dataclasses.replace(taught, arch=arch)
    r = prepare(recipe, tiny_photos, tmp_path, resume=False, progress=quiet)
    r.net.train()
    images, targets = torch.randn(4, 3, 32, 32), torch.eye(3)[[0, 1, 2, 0]]
    heads = r.net.get_classifier()
    logits = r.net(images)
    assert logits.shape == (4, 2, 3)
    loss = r.loss.per_sample(logits, r.teacher.asked(targets, images)).mean()
    shares = torch.autograd.grad(loss, [heads[0].weight, heads[1].weight])
    labels_only = dataclasses.replace(r.loss, taught=1e-9)
    first, second = torch.autograd.grad(
        labels_only.per_sample(r.net(images), r.teacher.asked(targets, images)).mean(), [h.weight for h in heads]
    )
    torch.testing.assert_close(shares[0], 0.3 * first)
    assert shares[1].abs().max() > 1e3 * second.abs().max()
    assert r.ema.net(images).shape == (4, 3)
    r.log.close()


def test_a_network_with_one_classifier_is_left_alone(tiny_arch):
    net = build(tiny_arch.with_classes(3)).train()
    part_heads(net)
    assert net(torch.randn(2, 3, 32, 32)).shape == (2, 3)


def test_recipes_that_make_no_sense_are_refused():
    with pytest.raises(SettingError, match="No network is called"):
        Recipe(teacher="resnet5000")
    with pytest.raises(SettingError, match="teacher_hard does not use"):
        Recipe(teacher="resnet50", teacher_hard=True, temperature=3.0)
    assert Recipe(teacher="shoes.linnet").teacher == "shoes.linnet"


def test_sizes_that_a_teacher_does_not_take_are_refused_at_once(taught, tiny_photos, tmp_path):
    from linnet.arch.names import find

    arch = find("vit_tiny_patch16_224").with_classes(3)
    arch = dataclasses.replace(arch, stages=(dataclasses.replace(arch.stages[0], layers=1), *arch.stages[1:]))
    write_model(tmp_path / "vit.safetensors", Model(arch, tiny_photos.classes, OWN, build(arch).state_dict()))
    with pytest.raises(SettingError, match="does not take images of 24 pixels"):
        find_teacher(
            dataclasses.replace(taught, teacher=str(tmp_path / "vit.safetensors")), tiny_photos, torch.device("cpu")
        )
