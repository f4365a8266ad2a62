from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from linnet.data.sample import CLASSES, SPLITS, draw, sample_photos
from linnet.errors import DataError, SettingError


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.jpg"))}


def test_there_are_ten_things_in_the_order_of_their_folders() -> None:
    assert len(set(CLASSES)) == 10
    assert list(CLASSES) == sorted(CLASSES)


def test_a_picture_depends_on_its_label_index_and_seed_alone() -> None:
    one = np.asarray(draw(3, 5, seed=0))
    assert np.array_equal(one, np.asarray(draw(3, 5, seed=0)))
    others = [draw(4, 5, seed=0), draw(3, 6, seed=0), draw(3, 5, seed=1)]
    assert all(not np.array_equal(one, np.asarray(other)) for other in others)


@pytest.mark.parametrize("image", [24, 160])
def test_pictures_have_many_sizes_around_the_one_asked_for(image: int) -> None:
    pictures = [draw(index % 10, index, seed=0, image=image) for index in range(30)]
    sizes = {picture.size for picture in pictures}
    assert len(sizes) > 20
    assert all(picture.mode == "RGB" for picture in pictures)
    assert all(0.88 * image <= min(size) <= 1.42 * image and max(size) <= 1.35 * min(size) for size in sizes)
    assert any(wide > high for wide, high in sizes)
    assert any(wide < high for wide, high in sizes)


def test_every_thing_can_be_seen() -> None:
    """Each picture shows contrast beyond its grain, and the same random numbers draw different things."""
    for label in range(10):
        for index in range(5):
            grey = np.asarray(draw(label, index, seed=2).convert("L").reduce(4), np.float32)
            assert np.percentile(grey, 98) - np.percentile(grey, 2) > 20


def test_the_folders_are_complete_and_no_picture_comes_twice(tmp_path: Path) -> None:
    folder = sample_photos(tmp_path / "sample", per_class=8, image=32)
    found = files(folder)
    assert len(found) == 80
    assert len({hashlib.sha256(data).digest() for data in found.values()}) == 80
    for split, n in zip(SPLITS, (6, 1, 1), strict=True):
        assert sorted(path.name for path in (folder / split).iterdir()) == list(CLASSES)
        assert all(len(list((folder / split / name).iterdir())) == n for name in CLASSES)
    assert [path.name for path in tmp_path.iterdir()] == ["sample"]  # nothing unfinished is left


def test_the_bytes_do_not_depend_on_how_many_are_drawn_at_once(tmp_path: Path) -> None:
    alone = files(sample_photos(tmp_path / "alone", per_class=8, image=32, seed=5))
    together = files(sample_photos(tmp_path / "together", per_class=21, image=32, seed=5))  # in two processes
    assert len(together) == 210
    name = "letter R/00007.jpg"
    assert alone[f"train/{name}"] == together[f"train/{name}"]
    again = files(sample_photos(tmp_path / "again", per_class=8, image=32, seed=5))
    assert alone == again


def test_it_is_drawn_once_into_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINNET_CACHE", str(tmp_path))
    folder = sample_photos(per_class=3, image=16)
    assert folder.parent == tmp_path
    assert len(files(folder)) == 30
    times = [path.stat().st_mtime_ns for path in folder.rglob("*.jpg")]
    assert sample_photos(per_class=3, image=16) == folder
    assert times == [path.stat().st_mtime_ns for path in folder.rglob("*.jpg")]
    assert sample_photos(per_class=3, image=16, seed=1) != folder


def test_a_failure_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(OSError, match="No space"):
        sample_photos(tmp_path / "sample", per_class=3, image=16)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(DataError, match="exists already"):
        sample_photos(tmp_path / "mine")


@pytest.mark.parametrize("wrong", [{"per_class": 2}, {"image": 8}])
def test_too_few_or_too_small_is_refused(tmp_path: Path, wrong: dict[str, int]) -> None:
    with pytest.raises(SettingError, match=next(iter(wrong))):
        sample_photos(tmp_path / "sample", **wrong)


def test_a_linear_model_does_not_learn_it() -> None:
    """The sample must need a network: ten classes, chance is 10 %. (Logistic regression on 1,400 of them, at 32 x 32: 12 %.)"""
    labels = np.arange(500) % 10
    pixels = [draw(int(label), i, seed=0, image=32).resize((24, 24)) for i, label in enumerate(labels)]
    features = np.stack([np.asarray(picture, np.float64).ravel() for picture in pixels]) / 255
    features -= features[:400].mean(0)
    seen, unseen = features[:400], features[400:]
    weights = np.linalg.solve(seen @ seen.T + np.eye(400), np.eye(10)[labels[:400]])  # ridge regression, dual form
    assert ((seen @ seen.T @ weights).argmax(1) == labels[:400]).mean() > 0.9  # it fits what it saw
    assert ((unseen @ seen.T @ weights).argmax(1) == labels[400:]).mean() < 0.3
