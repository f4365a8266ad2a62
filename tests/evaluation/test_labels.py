from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from linnet.data.preprocess import Preprocess
from linnet.data.source import find_photos
from linnet.errors import DataError
from linnet.evaluation.labels import check_labels, doubted, probabilities


def test_the_confident_joint_of_the_paper_by_hand():
    """Thresholds: class 0 (.9 + .6 + .3) / 3 = .6; class 1 (.8 + .6 + .1) / 3 = .5."""
    shares = np.array([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7], [0.2, 0.8], [0.4, 0.6], [0.9, 0.1]])
    labels = np.array([0, 0, 0, 1, 1, 1])
    assert doubted(shares, labels) == [(2, 1), (5, 0)]


def test_an_answer_below_the_usual_confidence_of_its_class_is_no_doubt():
    shares = np.array([[0.95, 0.05], [0.97, 0.03], [0.55, 0.45], [0.2, 0.8], [0.3, 0.7]])
    labels = np.array([0, 0, 1, 1, 1])
    assert doubted(shares, labels) == []  # row 2: .55 for class 0, whose own photos get .96
    assert doubted(np.empty((0, 2)), np.empty(0, np.int64)) == []


def test_a_class_without_photos_is_never_suggested():
    shares = np.array([[0.2, 0.1, 0.7], [0.6, 0.3, 0.1], [0.1, 0.8, 0.1]])
    assert doubted(shares, np.array([0, 0, 1])) == []


def test_wrong_labels_are_found_among_many():
    rng = np.random.default_rng(0)
    true = rng.integers(0, 5, 1000)
    logits = rng.normal(0, 1, (1000, 5))
    logits[np.arange(1000), true] += 4
    given = true.copy()
    wrong = rng.choice(1000, 30, replace=False)
    given[wrong] = (given[wrong] + 1) % 5
    found = {row for row, _ in doubted(probabilities(logits), given)}
    assert len(found & set(wrong)) >= 15  # those at least as sure as a class's mean: about half, by the method
    assert len(found - set(wrong)) <= 5


class Colours(torch.nn.Module):
    """Says class 0 for red pictures and class 1 for blue ones."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mean = x.mean((2, 3))
        return torch.stack([mean[:, 0], mean[:, 2]], 1)


def painted(root, split: str, label: str, colours: str) -> None:
    (root / split / label).mkdir(parents=True)
    for n, colour in enumerate(colours):
        shade = (
            200 + n + 20 * (split == "train") if colour == label[0] else 255
        )  # the clearest ones lie in the wrong folder
        rgb = (shade, len(label), n) if colour == "r" else (n, len(label), shade)
        Image.new("RGB", (40, 40), rgb).save(root / split / label / f"{n}.png")


@pytest.fixture
def photos(tmp_path):
    painted(tmp_path, "train", "blue", "bbbbbr")
    painted(tmp_path, "train", "red", "rrrrrr")
    painted(tmp_path, "validation", "blue", "bbb")
    painted(tmp_path, "validation", "red", "rrrb")
    return find_photos(tmp_path)


def model(classes=("red", "blue")):
    preprocess = Preprocess(image=16, mean=(0.5,) * 3, std=(0.1,) * 3)
    return SimpleNamespace(net=Colours, classes=classes, preprocess=preprocess)


def test_the_photo_in_the_wrong_folder_is_named_and_where_it_was_learnt(photos):
    check = check_labels(model(), photos, name="m", workers=0)
    said = {(one.position, one.given, one.predicted, one.seen) for one in check.suspects}
    everything = [*photos.train, *photos.validation]
    wrong = [n for n, p in enumerate(everything) if (p.path.parent.name, p.path.stem) in {("blue", "5"), ("red", "3")}]
    learnt = next(n for n in wrong if n < 12 and everything[n].path.parent.name == "blue")
    held = next(n for n in wrong if n >= 12)
    assert said == {(learnt, "blue", "red", True), (held, "red", "blue", False)}
    assert (check.held_out, check.right, check.seen) == (7, 6, 12)
    assert all(one.probability > 0.9 > one.own for one in check.suspects)


def test_what_a_run_says_it_has_learnt_from_counts_and_not_the_folder(photos):
    check = check_labels(model(), photos, name="m", trained_on=frozenset({photos.validation[0].digest}), workers=0)
    assert (check.held_out, check.seen) == (18, 1)


def test_a_model_of_other_classes_and_several_labels_are_refused(photos, tmp_path):
    with pytest.raises(DataError, match="the model does not know 'blue'"):
        check_labels(model(("red", "green")), photos, name="m", workers=0)
    (tmp_path / "p.csv").write_text("path,labels\n" + "".join(f"train/red/{n}.png,a;b\n" for n in range(5)))
    with pytest.raises(DataError, match=r"these have several\. Leave --model out"):
        check_labels(model(("a", "b")), find_photos(tmp_path / "p.csv"), name="m", workers=0)
