"""The whole of `fit` under a budget: short with a pretended device, and once for real."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from linnet import fit
from linnet.arch.spec import Arch
from linnet.cost.count import count
from linnet.data.sample import sample_photos
from linnet.errors import DataError, SettingError
from linnet.nas import search as module
from linnet.nas.candidates import networks
from linnet.nas.front import FILE, read_front
from linnet.nas.halving import Trained
from linnet.nas.measuring import Measured
from linnet.nas.search import LEAST, look, plan, training_seconds
from linnet.training.start import look_at


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sample_photos(tmp_path_factory.mktemp("budget") / "photos", per_class=12, image=40, seed=3)


def device(arch: Arch, image: int, ways: Sequence[str], threads: int, memory: bool) -> dict[str, Measured]:
    total = count(arch, image).total
    return {way: Measured(1e-7 * total.madds, 4 * total.params, None) for way in ways}


def test_nothing_fits_says_the_nearest_before_anything_is_written(photos: Path) -> None:
    from linnet.nas.budget import Budget

    found, said = look_at(photos).photos, list[str]()
    with pytest.raises(
        SettingError, match=r"The nearest is mobilenetv3_small_050 64 px, onnx: .* ms of 0\.01"
    ) as caught:
        look(
            found, Budget(0.01, runtime="onnx"), arch="mobilenetv3_small_050", image=64, measure=device, say=said.append
        )
    assert "Nothing that Linnet tried fits 0.01 ms" in str(caught.value)
    assert any("mobilenetv3_small_050" in line and "64" in line for line in said)


def test_wrong_budgets_fail_before_the_photos_are_looked_at(tmp_path: Path) -> None:
    wrong: list[dict[str, Any]] = [
        {"latency_ms": 0.0}, {"latency_ms": -1.0}, {"latency_ms": float("nan")}, {"size_mb": 0.0}, {"minutes": 3.0},
        {"latency_ms": 4.0, "runtime": "onx"}, {"latency_ms": 4.0, "head_only": True},
    ]  # fmt: skip
    for one in wrong:
        with pytest.raises(SettingError):
            fit(tmp_path / "nothing", out=tmp_path / "run", **one)
    with pytest.raises(SettingError, match="latency"):
        fit(resume=tmp_path, latency_ms=4.0)
    assert list(tmp_path.iterdir()) == []


def test_without_validation_photos_or_when_it_is_stopped_nothing_is_left(photos: Path, tmp_path: Path) -> None:
    from linnet.nas.budget import Budget
    from linnet.training.stop import TrainingStopped

    seen, place = look_at(photos), tmp_path / "run"
    given = {"arch": "mobilenetv3_small_035", "image": 32}
    settings: dict[str, Any] = {"from_scratch": True, "measure": device, "say": lambda text: None}
    budget = Budget(1000.0, runtime="onnx", minutes=5.0)
    none = replace(seen, photos=replace(seen.photos, validation=()))
    with pytest.raises(DataError, match="no validation photos"):
        module.search(none, budget, place, given, time.monotonic(), **settings)

    def train(*_given: Any) -> Trained:
        assert place.is_dir()
        raise TrainingStopped("x")

    with pytest.raises(TrainingStopped, match="the same command"):
        module.search(seen, budget, place, given, time.monotonic(), train=train, **settings)
    assert list(tmp_path.iterdir()) == []


def test_too_few_minutes_are_said(photos: Path, tmp_path: Path) -> None:
    from linnet.nas.budget import Budget

    (network,), said = networks(10, arch="mobilenetv3_small_035", image=32, scratch=True), list[str]()
    slow = Trained(network, {32: 0.5}, 12, 32, 10, 9.0)
    given = {"arch": network.name, "image": 32}
    for minutes in (0.1, 1000.0):
        module.search(look_at(photos), Budget(1000.0, runtime="onnx", minutes=minutes), tmp_path / "run", given, time.monotonic(),
                      from_scratch=True, measure=device, train=lambda *_: slow, say=said.append)  # fmt: skip
    assert [line.partition(":")[0] for line in said if "too short" in line] == ["--minutes 0.1 is too short"]


def test_the_plan_keeps_to_the_time() -> None:
    (network,) = networks(10, arch="mobilenetv3_small_100", scratch=True)
    fast = Trained(network, {192: 0.9}, 100, 112, 1000, 1.0)
    at, epochs = plan(network, 192, 1000, {}, None, None)
    assert (at, epochs) == plan(network, 192, 1000, {}, fast, 1e6)
    assert at == 192
    needed = training_seconds(network, 1000, 192, {}, fast)
    less, same = plan(network, 192, 1000, {}, fast, 0.7 * needed)
    assert LEAST < less < at
    assert same == epochs
    least, fewer = plan(network, 192, 1000, {}, fast, 0.3 * needed)
    assert least == LEAST
    assert 2 < fewer < epochs
    assert plan(network, 192, 1000, {}, fast, -5.0)[1] == 2
    assert plan(network, 192, 1000, {"image": 192, "epochs": 7}, fast, -5.0) == (192, 7)


def test_a_budget_from_photos_to_a_bundle(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two tiny networks; what they take on a device is pretended, the rest is real."""
    monkeypatch.setattr("linnet.nas.candidates.NETWORKS", ("mobilenetv3_small_035", "lcnet_035"))
    monkeypatch.setattr("linnet.nas.candidates.sides_of", lambda arch: (32, 48))
    monkeypatch.setattr(module.search, "__kwdefaults__", {**(module.search.__kwdefaults__ or {}), "measure": device})
    found = fit(photos, latency_ms=1000, runtime="onnx", threads=1, from_scratch=True, epochs=1, workers=0,
                out=tmp_path / "run")  # fmt: skip
    front = read_front(found.run)
    assert front is not None
    assert {one.arch for one in front.options} == {"mobilenetv3_small_035", "lcnet_035"}
    assert all(one.accuracy is not None for one in front.options if one.measured_ms is not None)
    assert found.arch == front.winner
    assert front.tried[-1].reason == ""
    assert 0 < (front.tried[-1].again_ms or 0) <= 1000
    assert found.certificate["latency"]["image"] == front.tried[-1].image
    assert found.certificate["latency"]["threads"] == 1
    assert "in a new process" in str(found)
    assert json.loads(json.dumps(found.to_json()))["candidates"]["winner"] == front.winner
    assert "Chosen within 1,000 ms" in found.report.read_text(encoding="utf-8")
    assert not list(found.run.glob(".search*"))
    seen = capsys.readouterr().err
    assert "Trying 2 networks" in seen
    assert front.winner + " *" in seen
    # Gone on with: the choice is the run's own, and a second bundle is measured again.
    again = fit(resume=found.run)
    assert again.bundle != found.bundle
    assert again.front is not None
    assert (found.run / FILE).is_file()


@pytest.mark.slow
def test_a_budget_for_real(photos: Path, tmp_path: Path) -> None:
    found = fit(photos, latency_ms=20, size_mb=8, arch="mobilenetv3_small_050", from_scratch=True, epochs=1, workers=0,
                out=tmp_path / "run")  # fmt: skip
    assert found.front is not None
    assert (found.front.tried[-1].again_ms or 99) <= 20
    assert (found.front.tried[-1].size_bytes or 9e9) <= 8e6
