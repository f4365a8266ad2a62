"""Successive halving with trainings that are pretended, and one short one that is real."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from linnet.arch.names import find
from linnet.data.source import Photos, find_photos
from linnet.errors import TrainingError
from linnet.nas.candidates import Network
from linnet.nas.halving import Trained, halve, packed_few, short_training, survivors
from linnet.training.stop import TrainingStopped

EMPTY = Photos(Path(), ("a", "b"), (), (), (), ())


def network(name: str) -> Network:
    return Network(replace(find("mobilenetv3_small_035").with_classes(10), name=name), False, (32, 64))


def pretended(accuracy: Mapping[str, float], asked: list[tuple[str, int]]) -> Any:
    def train(
        one: Network, sides: Sequence[int], epochs: int, photos: Photos, folder: Path, settings: Mapping[str, Any]
    ) -> Trained:
        asked.append((one.name, epochs))
        settings = {**settings, "precision": "fp32"}
        return Trained(one, dict.fromkeys(sides, accuracy[one.name]), 300, 32, 100, 1.0, settings)

    return train


def race(accuracy: Mapping[str, float], **more: Any) -> tuple[list[Trained], str, list[tuple[str, int]]]:
    asked = list[tuple[str, int]]()
    sides = {name: (network(name), [32]) for name in accuracy}
    settings = {"deadline": None, "settings": {}, "train": pretended(accuracy, asked), "say": lambda text: None, **more}
    found, why = halve(sides, EMPTY, Path("nowhere"), **settings)
    return found, why, asked


def test_the_better_half_goes_on_with_twice_the_epochs() -> None:
    found, why, asked = race({"a": 0.80, "b": 0.82, "c": 0.78, "d": 0.81})
    assert asked == [("a", 1), ("b", 1), ("c", 1), ("d", 1), ("b", 2), ("d", 2)]
    assert [one.network.name for one in found] == ["b", "d", "a", "c"]
    assert "most accurate of 4" in why
    assert found[1].settings == {"precision": "fp32"}


def test_who_is_surely_worse_does_not_go_on() -> None:
    _, _, asked = race({"a": 0.90, "b": 0.40, "c": 0.35})
    assert asked == [("a", 1), ("b", 1), ("c", 1)]
    assert survivors(["a"], {"a": Trained(network("a"), {32: 0.5}, 10, 32, 10, 1.0)}) == ["a"]


def test_when_the_time_is_up_the_best_so_far_wins() -> None:
    ticks = iter([0.0, 1.0, 99.0, 99.0])
    found, why, asked = race({"a": 0.5, "b": 0.6, "c": 0.9}, deadline=2.0, clock=lambda: next(ticks))
    assert [name for name, _ in asked] == ["a", "b"]
    assert found[0].network.name == "b"
    assert "time" in why


def test_one_network_is_trained_once() -> None:
    _, why, asked = race({"a": 0.5})
    assert asked == [("a", 1)]
    assert "only" in why


def failing(*trainings: tuple[str, int], error: Exception | None = None) -> Any:
    well = pretended({"a": 0.80, "b": 0.82, "c": 0.78, "d": 0.81}, [])

    def train(one: Network, sides: Sequence[int], epochs: int, *rest: Any) -> Trained:
        if (one.name, epochs) in trainings:
            raise error or TrainingError("The loss is not finite. Lower the rate.")
        return well(one, sides, epochs, *rest)

    return train


def test_a_network_whose_training_fails_is_left_out() -> None:
    four, said = dict.fromkeys("abcd", 0.0), list[str]()
    found, why, _ = race(four, train=failing(("b", 1)), say=said.append)
    assert [one.network.name for one in found] == ["d", "a", "c"]
    assert "most accurate of 3" in why
    assert "  b: left out (The loss is not finite)" in said
    # Both of the second round fail: the better of those that had stopped wins.
    found, _, _ = race(four, train=failing(("b", 2), ("d", 2)))
    assert found[0].network.name == "a"
    with pytest.raises(TrainingError, match="not finite"):
        race(four, train=failing(*((name, 1) for name in "abcd")))
    with pytest.raises(TrainingStopped):
        race(four, train=failing(("a", 1), error=TrainingStopped("Stopped.")))


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Photos:
    from linnet.data.sample import sample_photos

    return find_photos(sample_photos(tmp_path_factory.mktemp("nas") / "photos", per_class=10, image=40, seed=2))


def test_a_short_training_on_packed_photos_leaves_nothing_behind(photos: Photos, tmp_path: Path) -> None:
    few = packed_few(photos, 40, tmp_path / "packed")
    assert all(photo.packed for photo in (*few.train, *few.validation))
    assert (len(few.train), len(few.validation), few.test) == (len(photos.train), len(photos.validation), ())
    settings = {"workers": 0, "precision": "fp32", "memory_format": "contiguous", "threads": 1}
    one = short_training(network("mobilenetv3_small_035"), [32, 40], 1, few, tmp_path / "run", settings)
    assert set(one.accuracy) == {32, 40}
    assert one.n == len(few.validation)
    assert one.seconds > 0
    assert one.settings["precision"] == "fp32"
    assert not (tmp_path / "run").exists()
