"""Options in turn until one is within the budget; never one that is over."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from linnet.errors import ProofError
from linnet.nas.budget import Budget
from linnet.nas.front import Front, Tried
from linnet.nas.option import Option
from linnet.nas.shipping import Unshipped, hopeless, order, ship

OPTIONS = tuple(
    Option("a", side, way, 8, 2.0, ms)
    for side, way, ms in ((160, "onnx", 3.0), (160, "onnx-int8", 2.0), (128, "onnx", 2.2), (192, "onnx-int8", 3.4))
)
FRONT = Front(Budget(4.0), OPTIONS, "a", "why", 136, 5, 1.0, (96, 112, 128, 160, 192))
ACCURACY = {128: 0.80, 160: 0.90, 192: 0.88}


@dataclass
class Device:
    """Bundles in a folder, and how long each is said to take in a new process."""

    folder: Path
    ms: dict[tuple[int, str], float]
    failing: tuple[str, ...] = ()
    made: list[tuple[int, str]] = field(default_factory=list)

    def export(self, side: int, way: str) -> Any:
        self.made.append((side, way))
        if way in self.failing:
            raise ProofError(f"{way} drops too much.\nmore")
        place = self.folder / "x.linnet"
        place.mkdir()
        return SimpleNamespace(folder=place, preprocess=SimpleNamespace(image=side))

    def again(self, bundle: Any, way: str, budget: Budget) -> Tried:
        return Tried(bundle.preprocess.image, way, None, self.ms.get((bundle.preprocess.image, way), 1.0), 1, 8)


def shipped(device: Device) -> Any:
    return ship(FRONT, ACCURACY, device.export, device.again, lambda text: None)


def test_the_most_accurate_side_comes_first_and_float_before_int8() -> None:
    assert [(one.image, one.way) for one in order(FRONT, ACCURACY)] == [
        (160, "onnx"), (160, "onnx-int8"), (192, "onnx-int8"), (128, "onnx"),
    ]  # fmt: skip


def test_the_first_that_is_within_is_kept(tmp_path: Path) -> None:
    found = shipped(Device(tmp_path, {}))
    assert (found.front.tried[-1].image, found.front.tried[-1].accuracy) == (160, 0.9)
    assert found.bundle.folder.is_dir()


def test_one_that_is_over_is_taken_away_and_the_next_tried(tmp_path: Path) -> None:
    device = Device(tmp_path, {(160, "onnx"): 4.5}, failing=("onnx-int8",))
    found = shipped(device)
    assert device.made == [(160, "onnx"), (160, "onnx-int8"), (192, "onnx-int8"), (128, "onnx")]
    assert [one.reason for one in found.front.tried] == ["4.50 ms of 4", *["onnx-int8 drops too much."] * 2, ""]
    assert found.bundle.preprocess.image == 128


def test_when_all_are_over_smaller_sides_are_tried_and_then_nothing_is_left(tmp_path: Path) -> None:
    slow = Device(tmp_path, {(side, way): 9.0 for side in FRONT.sides for way in ("onnx", "onnx-int8")})
    slow.ms[112, "onnx"] = 3.9
    found = shipped(slow)
    assert (found.front.tried[-1].image, found.front.tried[-1].way) == (112, "onnx")
    found.bundle.folder.rmdir()
    slow.ms[112, "onnx"], slow.ms[96, "onnx"] = 9.0, 5.0
    with pytest.raises(Unshipped, match=r"96 px on onnx: 5\.00 ms") as caught:
        shipped(slow)
    assert list(tmp_path.iterdir()) == []
    assert all(one.reason for one in caught.value.front.tried)


def test_what_cannot_be_measured_again_does_not_stay(tmp_path: Path) -> None:
    device = Device(tmp_path, {})

    def once(error: BaseException) -> Any:
        errors = iter([error])

        def measured(bundle: Any, way: str, budget: Budget) -> Tried:
            for one in errors:
                raise one
            return device.again(bundle, way, budget)

        return ship(FRONT, ACCURACY, device.export, measured, lambda text: None)

    found = once(ProofError("cannot be run."))
    assert [one.reason for one in found.front.tried] == ["cannot be run.", ""]
    found.bundle.folder.rmdir()
    with pytest.raises(KeyboardInterrupt):
        once(KeyboardInterrupt())
    assert list(tmp_path.iterdir()) == []


def test_a_way_that_was_too_slow_is_not_tried_larger() -> None:
    tried = [Tried(128, "onnx", again_ms=5.0, reason="slow")]
    assert hopeless(OPTIONS[0], tried, FRONT)
    assert not hopeless(OPTIONS[1], tried, FRONT)
    assert not hopeless(OPTIONS[0], tried, replace(FRONT, budget=Budget(size_mb=1)))


def test_a_way_that_fails_its_proof_twice_is_not_proven_at_every_side(tmp_path: Path) -> None:
    """A proof of int8 takes minutes; what it loses hardly depends on the side."""
    sides = (224, 208, 192, 176, 160)
    front = replace(FRONT, options=(*(Option("a", side, "onnx-int8", 8, 2.0, 3.0) for side in sides), OPTIONS[2]))
    device = Device(tmp_path, {}, failing=("onnx-int8",))
    found = ship(front, {side: side / 1000 for side in (*sides, 128)}, device.export, device.again, lambda text: None)
    assert device.made == [(224, "onnx-int8"), (208, "onnx-int8"), (128, "onnx")]
    assert found.front.tried[-1].way == "onnx"
