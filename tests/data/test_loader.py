from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings
from hypothesis import given as given_any
from hypothesis import strategies as st
from PIL import Image

from linnet.data.augment import Augment, random_numbers
from linnet.data.cuts import cuts
from linnet.data.loader import Batch, Told, epoch_order, eval_batches, repeated, train_batches
from linnet.data.mend import Mended
from linnet.data.preprocess import Preprocess
from linnet.data.shard import Packed
from linnet.errors import DataError, SettingError

AUGMENT = Augment(16, randaugment=9, erasing=0.5)
PREPROCESS = Preprocess(image=16, crop=1.0)


class Photo(NamedTuple):
    path: Path
    label: int
    target = property(lambda self: self.label)
    packed: Packed | None = None
    mended: Mended | None = None


def draw(folder: Path, n: int) -> list[Photo]:
    photos = []
    for i in range(n):
        pixels = np.random.default_rng(i).integers(0, 256, (4, 5, 3), dtype=np.uint8)
        photos.append(Photo(folder / f"{i}.jpg", i % 3))
        Image.fromarray(pixels).resize((50 + i, 40)).save(photos[-1].path)
    return photos


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Photo]:
    return draw(tmp_path_factory.mktemp("photos"), 13)


def taken(photos: list[Photo], **options: int) -> list[Batch]:
    return list(train_batches(photos, AUGMENT, **{"seed": 1, "epoch": 2, "batch": 4, "workers": 0, **options}))


def same(one: list[Batch], two: list[Batch]) -> bool:
    return len(one) == len(two) and all(
        torch.equal(a.images, b.images) and torch.equal(a.labels, b.labels) and torch.equal(a.index, b.index)
        for a, b in zip(one, two, strict=True)
    )


def test_an_order_is_a_permutation_of_its_own(photos: list[Photo]) -> None:
    orders = {tuple(epoch_order(50, seed, epoch)) for seed in (0, 1) for epoch in (0, 1, 2)}
    assert len(orders) == 6
    assert all(sorted(order) == list(range(50)) for order in orders)
    assert np.array_equal(epoch_order(50, 1, 2), epoch_order(50, 1, 2))


def test_a_batch_is_bytes_labels_and_positions_in_the_drawn_order(photos: list[Photo]) -> None:
    given = taken(photos)
    assert len(given) == 3  # 13 photos, the last one is dropped
    order = epoch_order(13, 1, 2)
    assert torch.cat([batch.index for batch in given]).tolist() == order[:12].tolist()
    for batch in given:
        assert batch.images.shape == (4, 16, 16, 3)
        assert batch.images.dtype == torch.uint8
        assert batch.labels.tolist() == [photos[i].label for i in batch.index]
        assert batch.bad == ()
        for image, i in zip(batch.images, batch.index.tolist(), strict=True):
            assert np.array_equal(image, AUGMENT.pixels(photos[i].path, random_numbers(1, 2, i)))


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_nothing(photos: list[Photo], workers: int) -> None:
    assert same(taken(photos), taken(photos, workers=workers))
    assert same(taken(photos, first=1), taken(photos, workers=workers, first=1))
    plain = list(eval_batches(photos, PREPROCESS, batch=5, workers=0))
    assert same(plain, list(eval_batches(photos, PREPROCESS, batch=5, workers=workers)))


def test_epochs_and_seeds_differ(photos: list[Photo]) -> None:
    assert same(taken(photos), taken(photos))
    assert not same(taken(photos), taken(photos, epoch=3))
    assert not same(taken(photos), taken(photos, seed=2))


def test_starting_later_skips_without_looking(photos: list[Photo]) -> None:
    order = epoch_order(13, 1, 2)
    gone = [photo._replace(path=Path("gone")) if i in order[:8] else photo for i, photo in enumerate(photos)]
    assert same(taken(photos)[2:], taken(gone, first=2))
    assert taken(gone, first=2)[0].bad == ()
    assert taken(photos, first=3) == []


def test_a_batch_larger_than_the_split_is_the_split(photos: list[Photo]) -> None:
    (only,) = taken(photos, batch=64)
    assert sorted(only.index.tolist()) == list(range(13))


@pytest.mark.parametrize("world", [2, 3])
def test_processes_share_each_global_batch(photos: list[Photo], world: int) -> None:
    parts = [taken(photos, batch=5, rank=rank, world=world) for rank in range(world)]
    for whole, *shares in zip(taken(photos, batch=5), *parts, strict=True):
        assert torch.equal(whole.index, torch.cat([share.index for share in shares]))
        assert torch.equal(whole.images, torch.cat([share.images for share in shares]))


@pytest.mark.parametrize("workers", [0, 2])
def test_each_step_has_a_size_and_about_as_many_pixels(photos: list[Photo], workers: int) -> None:
    given = taken(photos, batch=4, sizes=(12, 16, 20), workers=workers)  # type: ignore[arg-type]
    plan = cuts(13, batch=4, image=16, sizes=(12, 16, 20), seed=1, epoch=2)
    assert [(len(b.images), b.images.shape[1]) for b in given] == [(c.stop - c.start, c.image) for c in plan]
    seen = torch.cat([batch.index for batch in given]).tolist()
    assert seen == epoch_order(13, 1, 2)[: len(seen)].tolist()
    assert same(given[1:], taken(photos, batch=4, sizes=(12, 16, 20), first=1))  # type: ignore[arg-type]
    parts = [taken(photos, batch=4, sizes=(12, 16, 20), rank=rank, world=2) for rank in (0, 1)]  # type: ignore[arg-type]
    for whole, *shares in zip(given, *parts, strict=True):
        assert torch.equal(whole.images, torch.cat([share.images for share in shares]))


def test_repeated_augmentation_shows_fewer_photos_so_many_times_in_one_batch() -> None:
    plain = epoch_order(50, 1, 2)
    order = repeated(plain, cuts(50, batch=6, image=16), 3)
    assert len(order) == len(set(order.tolist())) == 48
    assert set((order % 50).tolist()) == set(plain[:16].tolist())
    for start in range(0, 48, 6):
        places, copies = order[start : start + 6] % 50, order[start : start + 6] // 50
        assert copies.tolist() == [0, 0, 1, 1, 2, 2]
        assert all(
            a != b for a, b in zip(places, np.roll(places, 1), strict=True)
        )  # mixup's neighbour is another photo
        assert len(set(places.tolist())) == 2


@pytest.mark.parametrize(
    ("n", "batch", "repeats", "sizes"),
    [(50, 8, 3, ()), (50, 7, 3, ()), (40, 10, 4, ()), (64, 9, 2, ()), (5, 64, 3, ()), (90, 12, 3, (12, 16, 20))],
)
def test_copies_are_all_in_their_batch_and_apart_whatever_its_size(
    n: int, batch: int, repeats: int, sizes: tuple[int, ...]
) -> None:
    plan = cuts(n, batch=batch, image=16, sizes=sizes, seed=1, epoch=2)
    order, seen = repeated(epoch_order(n, 1, 2), plan, repeats), set[int]()
    assert len(order) == plan[-1].stop == len(set(order.tolist()))
    for start, stop, _ in plan:
        places = (order[start:stop] % n).tolist()
        assert not seen & set(places), "a photo whose copies are in two batches"
        seen |= set(places)
        assert all(a != b for a, b in zip(places, np.roll(places, 1), strict=True)), "mixup of a photo with itself"
        often = sorted(map(places.count, set(places)))
        assert often[-1] == min(repeats, len(places) // 2)
        assert often.count(1) < often[-1], "only the rest of the division is seen once"


def test_a_photo_alone_is_seen() -> None:
    assert repeated(epoch_order(1, 0, 0), cuts(1, batch=64, image=16), 5).tolist() == [0]


def test_copies_are_augmented_differently_and_the_same_for_any_workers_and_processes(photos: list[Photo]) -> None:
    given = taken(photos, repeats=2)
    first = given[0]
    assert first.index[:2].tolist() == first.index[2:].tolist()
    assert not torch.equal(first.images[0], first.images[2])
    assert first.labels.tolist() == [photos[i].label for i in first.index]
    assert torch.equal(first.images[:2], taken(photos)[0].images[:2])  # the first copy is as without
    assert same(given, taken(photos, repeats=2, workers=2))
    assert same(given[2:], taken(photos, repeats=2, first=2))
    parts = [taken(photos, repeats=2, rank=rank, world=2) for rank in (0, 1)]
    for whole, *shares in zip(given, *parts, strict=True):
        assert torch.equal(whole.images, torch.cat([share.images for share in shares]))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given_any(n=st.integers(1, 13), batch=st.integers(1, 15), world=st.integers(1, 5))
def test_evaluation_sees_every_photo_once(photos: list[Photo], n: int, batch: int, world: int) -> None:
    tiny = Preprocess(image=2, crop=1.0)
    seen: list[int] = []
    for rank in range(world):
        for given in eval_batches(photos[:n], tiny, batch=batch, workers=0, rank=rank, world=world):
            assert 1 <= len(given.images) <= batch
            assert given.labels.tolist() == [photos[i].label for i in given.index]
            seen += given.index.tolist()
    assert sorted(seen) == list(range(n))


def test_evaluation_sees_what_preprocess_sees(photos: list[Photo]) -> None:
    (given,) = eval_batches(photos, PREPROCESS, batch=64, workers=0)
    assert given.index.tolist() == list(range(13))
    for image, photo in zip(given.images, photos, strict=True):
        assert np.array_equal(image, PREPROCESS.read(photo.path))


@pytest.mark.parametrize("workers", [0, 2])
def test_files_that_went_bad_are_left_out_and_named(tmp_path: Path, workers: int) -> None:
    photos = draw(tmp_path, 8)
    before = taken(photos)
    spoilt = int(before[1].index[2])
    photos[spoilt].path.write_bytes(photos[spoilt].path.read_bytes()[:200])
    missing = [int(i) for i in before[0].index]
    for i in missing:
        photos[i].path.unlink()
    empty, short = taken(photos, workers=workers)
    assert empty.images.shape == (0, 16, 16, 3)
    assert [Path(bad.path) for bad in empty.bad] == [photos[i].path for i in missing]
    assert "no such file" in empty.bad[0].reason
    kept = [0, 1, 3]
    assert torch.equal(short.images, before[1].images[kept])
    assert torch.equal(short.index, before[1].index[kept])
    assert torch.equal(short.labels, before[1].labels[kept])
    (bad,) = short.bad
    assert Path(bad.path) == photos[spoilt].path
    assert "truncated" in bad.reason


def shoot(number: signal.Signals) -> None:
    for child in multiprocessing.active_children():
        os.kill(child.pid, number)


def test_a_dead_worker_is_survived_at_the_same_batch(photos: list[Photo], capsys: pytest.CaptureFixture) -> None:
    expected = taken(photos * 20)
    given = train_batches(photos * 20, AUGMENT, seed=1, epoch=2, batch=4, workers=2)
    found = [next(given) for _ in range(3)]
    shoot(signal.SIGKILL)
    began = time.monotonic()
    assert same(found + list(given), expected)
    assert capsys.readouterr().err.count("A loader worker died") == 1
    assert time.monotonic() - began < 30  # noticed at once, not when a worker that is alive would count as hung


@pytest.mark.timeout(60)
def test_a_worker_that_died_with_the_lock_of_torchs_event_is_survived(
    monkeypatch: pytest.MonkeyPatch, photos: list[Photo]
) -> None:
    made = []
    monkeypatch.setattr("linnet.data.loader.Told", lambda event: made.append(Told(event)) or made[-1])
    expected = taken(photos * 20)
    given = train_batches(photos * 20, AUGMENT, seed=1, epoch=2, batch=4, workers=1)
    found = [next(given)]
    made[0].event._cond.acquire()  # as one that is killed while it looks leaves it
    shoot(signal.SIGKILL)
    assert same(found + list(given), expected)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("ready", [0.0, 1.0])
def test_a_hung_worker_is_survived_too(
    photos: list[Photo], capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch, ready: float
) -> None:
    """One that stands still with its next two batches said to be ready, but not handed over yet, or in the middle of one."""
    expected = taken(photos)
    assert same(taken(photos, workers=1), expected)  # the fork server runs
    monkeypatch.setattr("linnet.data.loader.STALL", 3.0)
    given = train_batches(photos, AUGMENT, seed=1, epoch=2, batch=4, workers=1)
    found = [next(given)]
    monkeypatch.setattr("linnet.data.loader.STALL", 120.0)  # those that start anew may take their time
    time.sleep(ready)
    stopped = multiprocessing.active_children()
    shoot(signal.SIGSTOP)
    try:
        assert same(found + list(given), expected)
    finally:
        for child in stopped:
            child.kill()
    assert capsys.readouterr().err.count("A loader worker died") == 1


def test_a_second_dead_worker_is_a_clear_error(photos: list[Photo]) -> None:
    given = train_batches(photos * 20, AUGMENT, seed=0, epoch=0, batch=4, workers=2)
    with pytest.raises(DataError, match=r'worker died.*train --resume RUN.*lower "workers" in the run\'s recipe\.json'):
        _ = [shoot(signal.SIGKILL) for _ in given]  # those made before come through


def test_workers_that_cannot_be_started_are_a_clear_error(photos: list[Photo], monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("linnet.data.loader.DataLoader", refused)
    with pytest.raises(DataError, match=r"could not start \(.*Resource temporarily unavailable.*--workers 0"):
        taken(photos, workers=1)


def test_a_programming_error_in_a_worker_stays_one(photos: list[Photo]) -> None:
    wrong = [photos[0]._replace(label="three")]  # type: ignore[arg-type]
    with pytest.raises((TypeError, ValueError), match="str"):
        taken(wrong, workers=1)


def test_leaving_early_ends_the_workers(photos: list[Photo]) -> None:
    before = set(multiprocessing.active_children())
    given = train_batches(photos * 20, AUGMENT, seed=0, epoch=0, batch=4, workers=2)
    next(given)
    mine = set(multiprocessing.active_children()) - before
    assert len(mine) == 2
    given.close()
    assert not mine & set(multiprocessing.active_children())


def test_workers_leave_an_interrupt_to_their_parent(photos: list[Photo]) -> None:
    given = train_batches(photos * 20, AUGMENT, seed=0, epoch=0, batch=4, workers=2)
    for _ in range(2):  # one from each worker: both are up
        next(given)
    for child in multiprocessing.active_children():
        os.kill(child.pid, signal.SIGINT)
    assert len(list(given)) == 63


def test_workers_end_when_their_process_is_shot(photos: list[Photo], tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(f"""
import multiprocessing, os, signal
from collections import namedtuple
from linnet.data.augment import Augment
from linnet.data.loader import train_batches
photos = [namedtuple("Photo", "path label target packed mended")({str(photos[0].path)!r}, 0, 0, None, None)] * 400
given = train_batches(photos, Augment(8), seed=0, epoch=0, batch=2, workers=2)
for _ in range(2):
    next(given)
print(*(child.pid for child in multiprocessing.active_children()), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
""")
    ran = subprocess.run(  # returns when the last that holds its stdout is gone
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    workers = [int(pid) for pid in ran.stdout.split()]
    assert len(workers) == 2
    until = time.monotonic() + 20
    while (left := [pid for pid in workers if Path(f"/proc/{pid}").exists()]) and time.monotonic() < until:
        time.sleep(0.05)
    assert not left


def test_torchs_own_random_numbers_are_not_touched(photos: list[Photo]) -> None:
    before = torch.random.get_rng_state()
    taken(photos, workers=1)
    taken(photos)
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_script_without_a_guard_is_not_run_again(photos: list[Photo], tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(f"""
print("start")
from collections import namedtuple
from linnet.data.augment import Augment
from linnet.data.loader import train_batches
photos = [namedtuple("Photo", "path label target packed mended")({str(photos[0].path)!r}, 0, 0, None, None)] * 4
print(len(list(train_batches(photos, Augment(8), seed=0, epoch=0, batch=2, workers=1))), __file__)
""")
    ran = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == ["start", f"2 {script}"]


@pytest.mark.parametrize("wrong", [{"batch": 0}, {"first": -1}, {"workers": -1}, {"rank": 2, "world": 2}], ids=str)
def test_wrong_settings_are_named(photos: list[Photo], wrong: dict[str, int]) -> None:
    with pytest.raises(SettingError, match=next(iter(wrong))):
        taken(photos, **wrong)


def test_an_empty_split_is_a_clear_error() -> None:
    with pytest.raises(DataError, match="no photos"):
        taken([])
    with pytest.raises(DataError, match="no photos"):
        list(eval_batches([], PREPROCESS, batch=1, workers=0))
