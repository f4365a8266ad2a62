from __future__ import annotations

import dataclasses

import pytest
import torch

from linnet.evaluation.intervals import wilson
from linnet.training.checkpoint import Position
from linnet.training.prepare import prepare
from linnet.training.validate import is_best, validate


@pytest.fixture
def r(tiny_recipe, tiny_photos, tmp_path, quiet):
    r = prepare(tiny_recipe, tiny_photos, tmp_path, resume=False, progress=quiet)
    yield r
    r.log.close()


def test_every_photo_counts_once_and_the_average_is_asked(r):
    with torch.no_grad():  # an average that always says class 1
        classifier = r.ema.net.get_classifier()
        classifier.weight.zero_()
        classifier.bias.copy_(torch.tensor([0.0, 5.0, 0.0]))
    right = sum(photo.label == 1 for photo in r.photos.validation)
    found = validate(r)
    assert found["n"] == 12
    assert found["top1"] == right / 12
    assert found["top5"] == 1.0
    assert found["interval"] == list(wilson(right, 12))
    assert found["loss"] == pytest.approx(float(torch.logsumexp(torch.tensor([0.0, 5, 0]), 0)) - 5 * right / 12)


def test_another_network_can_be_asked(r):
    with torch.no_grad():
        r.net.get_classifier().weight.zero_()
        r.net.get_classifier().bias.copy_(torch.tensor([0.0, 0.0, 5.0]))
    right = sum(photo.label == 2 for photo in r.photos.validation)
    assert validate(r, r.net)["top1"] == right / 12


def test_no_photos_no_figures(r):
    r.photos = dataclasses.replace(r.photos, validation=())
    assert validate(r) is None


def test_the_best_is_the_most_accurate_then_the_one_with_less_loss():
    at = Position(best_top1=0.5, best_loss=1.0)
    assert is_best(Position(), {"top1": 0.0, "loss": 9.0})
    assert is_best(at, {"top1": 0.6, "loss": 2.0})
    assert is_best(at, {"top1": 0.5, "loss": 0.9})
    assert not is_best(at, {"top1": 0.5, "loss": 1.0})
    assert not is_best(at, {"top1": 0.4, "loss": 0.1})
    assert is_best(at, None)
