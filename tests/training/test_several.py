from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch
from PIL import Image

from linnet.data.source import find_photos
from linnet.errors import DataError, SettingError
from linnet.training import loop
from linnet.training.checkpoint import hash_checkpoint
from linnet.training.loop import run
from linnet.training.loss import Loss
from linnet.training.recipe import Phase, Recipe
from linnet.training.several import with_loss
from linnet.training.train import train
from linnet.weights.model import read_model


@pytest.fixture(scope="module")
def tiny_labels(tmp_path_factory):
    """48 photos of bright channels in every mixture, 16 of them for validation, as a CSV says them."""
    root = tmp_path_factory.mktemp("labels")
    rng, rows = np.random.default_rng(0), ["path,red,green,blue,split"]
    for n in range(48):
        has = [n >> bit & 1 for bit in range(3)]
        pixels = np.where(np.array(has) > 0, 200, 50) + rng.integers(-40, 40, (36, 40, 3))
        Image.fromarray(pixels.astype(np.uint8)).save(root / f"{n}.png")
        rows.append(",".join([f"{n}.png", *map(str, has), "validation" if n % 3 == 0 else "train"]))
    (root / "photos.csv").write_text("\n".join(rows))
    return find_photos(root / "photos.csv")


def test_the_loss_is_that_of_the_photos(tiny_recipe, tiny_photos, tiny_labels):
    assert Recipe().loss == "auto"
    assert with_loss(tiny_recipe, tiny_photos).loss == "softmax"
    assert with_loss(tiny_recipe, tiny_labels).loss == "sigmoid"
    focal = dataclasses.replace(tiny_recipe, loss="focal")
    assert with_loss(focal, tiny_labels) is with_loss(focal, tiny_photos) is focal


def test_what_wants_one_label_is_refused(tiny_recipe, tiny_labels):
    with pytest.raises(SettingError, match='loss is "softmax", which is for one'):
        with_loss(dataclasses.replace(tiny_recipe, loss="softmax"), tiny_labels)
    with pytest.raises(SettingError, match="a teacher answers with one"):
        with_loss(dataclasses.replace(tiny_recipe, teacher="mobilenetv3_small_100"), tiny_labels)
    for name in ("class_weights", "sampling"):
        with pytest.raises(SettingError, match=f'{name} is "balanced"'):
            with_loss(dataclasses.replace(tiny_recipe, **{name: "balanced"}), tiny_labels)
    bare = tuple(dataclasses.replace(photo, multi_hot=b"\0\0\0") for photo in tiny_labels.validation)
    with pytest.raises(DataError, match="no validation photo has a label"):
        with_loss(tiny_recipe, dataclasses.replace(tiny_labels, validation=bare))


def test_focal_loss_of_each_label():
    generator = torch.Generator().manual_seed(0)
    logits, targets = torch.randn(5, 4, generator=generator), (torch.rand(5, 4, generator=generator) < 0.4).float()
    plain = Loss("sigmoid", several=True).per_sample(logits, targets)
    assert Loss("focal", gamma=0.0, several=True).per_sample(logits, targets) == pytest.approx(plain)
    p = logits.sigmoid()
    own = torch.where(targets > 0, p, 1 - p)
    wanted = (-((1 - own) ** 2) * own.log()).mean(1)
    assert Loss("focal", several=True).per_sample(logits, targets) == pytest.approx(wanted)


def test_the_share_of_labels_right_is_counted():
    logits = torch.tensor([[2.0, -1.0, 3.0, 0.0], [-1.0, -1.0, -1.0, -1.0]])
    targets = torch.tensor([[0.9, 0.1, 0.1, 0.9], [0.05, 0.05, 0.05, 0.05]])
    assert Loss("sigmoid", several=True).right(logits, targets).tolist() == [0.75, 1.0]


def test_a_run_learns_and_is_resumed_to_the_bit(tiny_recipe, tiny_labels, tmp_path, quiet):
    recipe = dataclasses.replace(
        tiny_recipe, phases=(Phase(epochs=12, image=24, batch=8, mixup=0.1),), crop_area=(0.5, 1.0)
    )
    result = run(recipe, tiny_labels, tmp_path / "whole", progress=quiet)
    assert result.validation is not None
    assert result.validation["mean_average_precision"] > 0.9
    assert "mean average precision" in str(result)
    assert "of 16 validation photos" in str(result)
    model = read_model(tmp_path / "whole")
    assert (model.labels, model.classes) == ("several", ("blue", "green", "red"))
    epochs = [json.loads(line) for line in (tmp_path / "whole" / "log.jsonl").read_text().splitlines()]
    epochs = [line for line in epochs if line["kind"] == "epoch"]
    assert all(0 <= line["train_labels_right"] <= 1 and "train_top1" not in line for line in epochs)
    best = max(epochs, key=lambda line: (line["validation"]["mean_average_precision"], -line["validation"]["loss"]))
    assert result.best_epoch == best["epoch"]
    assert json.loads((tmp_path / "whole" / "recipe.json").read_text())["loss"] == "sigmoid"

    half = tmp_path / "half"
    real, calls = loop.finish_epoch, []

    def leave_after_two(r, stop):
        real(r, stop)
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "finish_epoch", leave_after_two)
        with pytest.raises(KeyboardInterrupt):
            run(recipe, tiny_labels, half, progress=quiet)
    run(None, tiny_labels, half, resume=True, progress=quiet)
    assert hash_checkpoint(half / "last.ckpt") == hash_checkpoint(tmp_path / "whole" / "last.ckpt")
    one = dataclasses.replace(
        tiny_labels, train=tuple(dataclasses.replace(p, label=0, multi_hot=None) for p in tiny_labels.train)
    )
    with pytest.raises(DataError, match="not the photos"):
        run(None, one, half, resume=True, progress=quiet)


def test_what_is_refused_leaves_no_folder(tiny_labels, tmp_path):
    csv, out = tiny_labels.root / "photos.csv", tmp_path / "run"
    for name in ("class_weights", "sampling"):
        with pytest.raises(SettingError, match=f'{name} is "balanced", which is for one'):
            train(csv, arch="mobilenetv3_small_035", from_scratch=True, set=(f"{name}=balanced",), out=out, workers=0)
    assert not out.exists()
