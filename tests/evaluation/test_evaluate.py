import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from linnet.arch.names import find
from linnet.data.preprocess import Preprocess
from linnet.data.source import find_photos
from linnet.errors import DataError, ProofError, SettingError, TrainingError, WeightsError
from linnet.evaluation.evaluate import Answers, evaluate, merge, photos_of, predict_logits
from linnet.nn.build import build
from linnet.weights.model import Model, write_model

CLASSES = ("blue", "green", "red")
COLOURS = {"red": (200, 30, 30), "green": (30, 200, 30), "blue": (30, 30, 200)}
PREPROCESS = Preprocess(image=16, crop=1.0)


class Colour(torch.nn.Module):
    """Says blue, green or red by the brightest channel; in training mode it says nothing sensible."""

    def forward(self, images):
        seen = images.mean((2, 3))[:, [2, 1, 0]]
        return seen if not self.training else torch.zeros_like(seen)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """train/ validation/ test/ of three colours; test holds 4 + 3 + 4 photos, one of them damaged."""
    root = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for split, n in (("train", 3), ("validation", 2), ("test", 4)):
        for name, colour in COLOURS.items():
            place = root / split / name
            place.mkdir(parents=True)
            for i in range(n):
                noise = rng.integers(-25, 25, (24, 20, 3))
                Image.fromarray((np.array(colour) + noise).clip(0, 255).astype(np.uint8)).save(place / f"{i}.png")
    broken = root / "test" / "green" / "2.png"
    broken.write_bytes(broken.read_bytes()[:200])
    return root


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run's folder as training leaves it, of an untrained network; its classes are in an order of their own."""
    place = tmp_path_factory.mktemp("run")
    torch.manual_seed(0)
    arch = find("mobilenetv3_small_035").with_classes(3)
    model = Model(arch, ("red", "blue", "green"), PREPROCESS.at(32), build(arch).state_dict())
    write_model(place / "best.safetensors", model)
    return place


def said(photos, **options):
    return predict_logits(Colour(), photos, PREPROCESS, batch=3, workers=0, **options)


def test_every_photo_once_in_order_and_the_bad_one_named(folder):
    photos = find_photos(folder)
    counted = []
    answers = said(photos.test, progress=counted.append)
    bad = [i for i, photo in enumerate(photos.test) if photo.path.name == "2.png" and photo.label == 1]
    assert answers.index.tolist() == [i for i in range(12) if i not in bad]
    assert answers.labels.tolist() == [photos.test[i].label for i in answers.index]
    assert answers.logits.shape == (11, 3)
    assert answers.logits.dtype == np.float32
    assert (answers.logits.argmax(1) == answers.labels).all()
    assert [one.path for one in answers.bad] == [str(photos.test[bad[0]].path)]
    assert sum(counted) == 12


def test_the_network_is_left_as_it_was(folder):
    net = Colour().train()
    answers = predict_logits(net, find_photos(folder).test, PREPROCESS, workers=0)
    assert net.training
    assert answers.logits.any()


def test_batch_and_workers_change_nothing(folder):
    photos = find_photos(folder).test
    one = said(photos)
    other = predict_logits(Colour(), photos, PREPROCESS, batch=64, workers=2)
    assert np.array_equal(one.logits, other.logits)
    assert np.array_equal(one.index, other.index)


@pytest.mark.parametrize("world", [1, 2, 3, 5, 20])
def test_any_number_of_ranks_gives_the_same(folder, world):
    photos = find_photos(folder).test
    whole = said(photos)
    shares = [said(photos, rank=rank, world=world) for rank in range(world)] if world > 1 else [whole]
    together = merge(reversed(shares), len(photos))
    assert np.array_equal(together.logits, whole.logits)
    assert np.array_equal(together.index, whole.index)
    assert np.array_equal(together.labels, whole.labels)
    assert together.bad == whole.bad


def test_merge_refuses_a_photo_counted_twice_or_missing(folder):
    photos = find_photos(folder).test
    shares = [said(photos, rank=rank, world=2) for rank in range(2)]
    with pytest.raises(ProofError, match="counted twice or missing"):
        merge([shares[0], shares[1], shares[1]], len(photos))
    with pytest.raises(ProofError, match="counted twice or missing"):
        merge([shares[0]], len(photos))
    padded = Answers(*(np.concatenate([part, part[:1]]) for part in shares[1][:3]), shares[1].bad)
    with pytest.raises(ProofError, match="counted twice or missing"):  # what a padding sampler would do
        merge([shares[0], padded], len(photos))


JOB = """
import sys
import numpy as np, torch, torch.distributed as dist
from linnet.data.preprocess import Preprocess
from linnet.data.source import find_photos
from linnet.evaluation.evaluate import predict_logits
folder, store, out, rank = *sys.argv[1:4], int(sys.argv[4])
dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
net = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
answers = predict_logits(net, find_photos(folder).test, Preprocess(image=16, crop=1.0), batch=3, workers=0)
np.savez(f"{out}/{rank}.npz", logits=answers.logits, index=answers.index, bad=[one.path for one in answers.bad])
dist.destroy_process_group()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="gloo's file store needs POSIX file locks")
def test_two_real_processes_agree_with_one(folder, tmp_path):
    command = [sys.executable, "-W", "error", "-c", JOB, folder, tmp_path / "store", tmp_path]
    processes = [subprocess.Popen([*map(str, command), str(rank)]) for rank in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    whole = said(find_photos(folder).test)
    for rank in range(2):
        with np.load(tmp_path / f"{rank}.npz") as one:
            assert one["index"].tolist() == whole.index.tolist()
            assert np.allclose(one["logits"][:, [2, 1, 0]], whole.logits, atol=1e-5)
            assert one["bad"].tolist() == [bad.path for bad in whole.bad]


def test_another_process_that_is_lost_meanwhile_is_one_line(folder, monkeypatch):
    def closed(*_):
        raise RuntimeError("Connection closed by peer")

    for name, value in {"is_initialized": True, "get_rank": 0, "get_world_size": 2}.items():
        monkeypatch.setattr(torch.distributed, name, lambda value=value: value)
    monkeypatch.setattr(torch.distributed, "all_gather_object", closed)
    with pytest.raises(TrainingError, match=r"Another process of this run ended.*closed by peer.*train --resume"):
        predict_logits(Colour(), find_photos(folder).test, PREPROCESS, workers=0)


def test_nothing_readable_is_an_error(tmp_path, folder):
    photos = find_photos(folder).test
    broken = [photo for photo in photos if photo.path.name == "2.png" and photo.label == 1]
    with pytest.raises(DataError, match="None of the 1 photos can be read"):
        said(broken)


def test_classes_are_matched_by_name(folder):
    chosen = photos_of(find_photos(folder), "test", ("red", "green", "yellow", "blue"))
    assert {photo.path.parent.name: photo.label for photo in chosen} == {"red": 0, "green": 1, "blue": 3}


def test_classes_that_the_model_does_not_know(folder):
    with pytest.raises(
        DataError, match=r"does not know 'green'; it knows 'blue', 'red', 'greene', of which .* 'greene'.*mean 'greene'"
    ):
        photos_of(find_photos(folder), "test", ("blue", "red", "greene"))


def test_splits(folder, tmp_path):
    photos = find_photos(folder)
    assert [len(photos_of(photos, split, CLASSES)) for split in ("train", "validation", "test", "all")] == [
        9,
        6,
        12,
        27,
    ]
    with pytest.raises(SettingError, match="Did you mean 'validation'"):
        photos_of(photos, "validaton", CLASSES)
    (tmp_path / "only").mkdir()
    for split in ("train", "validation"):
        (tmp_path / "only" / split).symlink_to(folder / split)
    with pytest.raises(DataError, match=r"no test photos. Splits with photos: train \(9\), validation \(6\)"):
        photos_of(find_photos(tmp_path / "only"), "test", CLASSES)


def test_verb(folder, run):
    result = evaluate(run, folder, workers=0)
    assert result.classes == ("red", "blue", "green")
    assert result.metrics.n == 11
    assert [one.n for one in result.metrics.per_class] == [4, 4, 3]
    assert result.image == 32
    assert {path.split("/")[0] for path in result.paths} == {"test"}
    wanted = [result.classes.index(path.split("/")[1]) for path in result.paths]
    assert result.labels.tolist() == wanted
    text = str(result)
    assert "top-1 accuracy" in text
    assert "green/2.png" in text
    value = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert value["metrics"]["n"] == 11
    assert len(value["items"]) == 11
    item = value["items"][3]
    assert (item["path"], item["label"]) == (result.paths[3], result.labels[3])
    odds = np.exp(result.logits[3].astype(float))
    assert item["predicted"] == odds.argmax()
    assert item["confidence"] == pytest.approx(odds.max() / odds.sum(), abs=1e-5)
    assert value["left_out"][0]["path"].endswith("2.png")
    assert evaluate(run / "best.safetensors", folder, image=48, workers=0).image == 48


def test_verb_says_when_photos_were_trained_on(folder, run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    photos = find_photos(folder)
    seen = [[str(photo.path), photo.label, photo.digest] for photo in (*photos.train, photos.test[0])]
    (tmp_path / "run" / "data.json").write_text(json.dumps({"files": {"train": seen}}))
    assert evaluate(tmp_path / "run", folder, workers=0).notes == (
        "1 of these 12 photos were trained on: the figures are too good.",
    )
    assert "9 of these 9" in str(evaluate(tmp_path / "run", folder, split="train", workers=0))
    assert evaluate(run, folder, workers=0).notes == ()


def test_verb_splits_as_the_run_did(folder, run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    (tmp_path / "run" / "recipe.json").write_text(json.dumps({"validation": 0.2, "test": 0.4}))
    whole = tmp_path / "photos"
    shutil.copytree(folder / "train", whole)
    assert evaluate(tmp_path / "run", whole, workers=0).metrics.n == len(
        find_photos(whole, validation=0.2, test=0.4).test
    )


def test_verb_refusals(folder, run, tmp_path):
    with pytest.raises(WeightsError):
        evaluate(tmp_path, folder)
    with pytest.raises(SettingError, match="Did you mean 'test'"):
        evaluate(run, folder, split="tests")
    with pytest.raises(SettingError, match="image"):
        evaluate(run, folder, image=-3)


def test_importing_the_verb_is_light():
    code = "import sys, linnet.evaluation.evaluate; print({'torch', 'numpy', 'PIL'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"


def test_a_folder_that_was_split_here_is_said_to_be(folder, run, tmp_path):
    for name in COLOURS:
        shutil.copytree(folder / "train" / name, tmp_path / "photos" / name)
    note = "The photos came without a split: 'train' is 3 of its 9 photos, chosen by content. For all of them: --split all."
    assert note in evaluate(run, tmp_path / "photos", split="train", workers=0).notes
    assert "without a split" not in str(evaluate(run, tmp_path / "photos", split="all", workers=0).notes)
    for split in ("train", "test"):
        shutil.copytree(folder / split, tmp_path / "two" / split)
    for root in (folder, tmp_path / "two"):
        assert "without a split" not in str(evaluate(run, root, workers=0).notes)


def test_figures_of_packed_pictures_say_so(run, folder, tmp_path):
    from linnet.data.pack import pack

    found = evaluate(run, pack(folder, image=16, out=tmp_path / "packed").folder, workers=0)
    assert found.to_json()["packed"] == 16
    assert "resized to a short side of 16 pixels" in str(found)
    plain = evaluate(run, folder, workers=0)
    assert "packed" not in plain.to_json()
    assert "resized" not in str(plain)
    assert found.metrics.n == plain.metrics.n


def test_out_of_memory_says_what_needs_less(folder, run, monkeypatch):
    def full(*_given, **_settings):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes")

    monkeypatch.setattr("linnet.evaluation.evaluate.predict_logits", full)
    with pytest.raises(SettingError, match=r"Out of memory with 64 photos of 32 pixels.*--batch 16"):
        evaluate(run, folder)
