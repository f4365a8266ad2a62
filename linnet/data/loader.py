"""Batches in an order that only (seed, epoch) decides: the same for any number of workers, from any batch on.

A worker holds nothing. Each request that it gets says all there is to know (which files, which augmentation, which
epoch), so phases may change the image size between epochs, a resumed run decodes nothing of what it skips, and starting
a worker costs the same for a hundred photos and a million.
"""

from __future__ import annotations

import functools
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from ..errors import DataError, SettingError
from .augment import Augment, random_numbers
from .cuts import Cut, cuts
from .image import BadImage
from .mend import Mended
from .sampling import balanced_order
from .shard import Packed
from .workers import end_with_parent, leave_interrupts_to_the_parent, script_hidden, worker_context

if TYPE_CHECKING:
    from linnet.data.preprocess import Preprocess
    from linnet.data.source import Photo

Read = Callable[[str | bytes | Packed, int], np.ndarray]
ORDER = 2**63 - 1  # the "sample" whose random numbers shuffle an epoch; no split is that large

LOOK = 2.0  # seconds until a dead worker is noticed, when its batch is waited for
STALL = (
    120.0  # seconds without an answer, beside a tenth for each photo of a batch, after which a worker counts as dead
)


class Bad(NamedTuple):
    """A photo left out of its batch, and why."""

    path: str
    reason: str


class Batch(NamedTuple):
    """images uint8 [B, H, W, 3], labels int64 [B], index int64 [B] (positions in the split), and what is missing.

    Of photos that may have several labels each, `labels` are multi-hot: uint8 [B, classes].
    `bad` names the photos that went bad since the data was looked at. They are left out, not replaced: the batch is
    that much smaller, in the worst case empty.
    """

    images: torch.Tensor
    labels: torch.Tensor
    index: torch.Tensor
    bad: tuple[Bad, ...]


@dataclass(frozen=True)
class Request:
    """All that a worker must know to make one batch; read(source, sample) gives uint8 [image, image, 3]."""

    read: Read
    image: int
    samples: tuple[int, ...]
    index: tuple[int, ...]
    paths: tuple[str, ...]
    instead: tuple[Packed | Mended | None, ...]  # where to read from, if not from the path
    labels: tuple[int | bytes, ...]  # positions, or multi-hot


class Part(NamedTuple):
    """One batch that is wanted: its samples (see epoch_order), and how each is read to a picture of `image` pixels."""

    samples: np.ndarray
    read: Read
    image: int


def epoch_order(n: int, seed: int, epoch: int) -> np.ndarray:
    """In which order n photos are seen in this epoch: int64 [n], a permutation."""
    return random_numbers(seed, epoch, ORDER).permutation(n)


def repeated(order: np.ndarray, plan: Sequence[Cut], repeats: int) -> np.ndarray:
    """The order with one in `repeats` photos, but each so many times in its batch: sample n * k + i is photo i once more,
    with random numbers of its own.

    int64, each batch at its places in `plan`. A batch's copies stand apart, so that mixup, which takes the picture before,
    does not blend a photo with itself, and as many processes as repeats have one copy each. Where a batch is no multiple of
    `repeats`, photos seen once fill it up; one of fewer than two photos so often has fewer copies.
    Source: Hoffer et al. 2020 (batch augmentation); DeiT's RASampler, whose copies may be in two batches.
    """
    parts, taken = list[np.ndarray](), 0
    for start, stop, _ in plan:
        size = stop - start
        times = max(1, min(repeats, size // 2))
        few, rest = divmod(size, times)
        photos, others = order[taken : taken + few], order[taken + few : taken + few + rest]
        taken += few + rest
        parts += [photos + len(order) * k for k in range(times)] + [others]
    return np.concatenate(parts)


def train_batches(
    photos: Sequence[Photo],
    augment: Augment,
    *,
    seed: int,
    epoch: int,
    batch: int,
    sizes: tuple[int, ...] = (),
    repeats: int = 1,
    sampling: Literal["shuffled", "balanced"] = "shuffled",
    first: int = 0,
    workers: int,
    rank: int = 0,
    world: int = 1,
    unit: int = 1,
) -> Iterator[Batch]:
    """The epoch's batches from global batch `first` on, shuffled and augmented; the incomplete last one is dropped.

    A batch larger than the split is cut to its size. With `sizes` each batch has one of them instead of the augment's,
    and as many pixels (see cuts.py). With `repeats` fewer photos are seen, so many times each (see `repeated`); with
    balanced `sampling` each class as often (see sampling.py; no repeats then). With several processes each gets its share
    of the same global batch. Raises DataError for an empty split and when a worker process dies.
    """
    check_split(photos, batch, rank, world)
    if first < 0:
        raise SettingError(f"first={first} is not allowed; give the number of a batch, 0 or more.")
    if sampling == "balanced":
        order = balanced_order([photo.label for photo in photos], seed, epoch)
    else:
        order = epoch_order(len(photos), seed, epoch)
    plan = cuts(len(photos), batch=batch, image=augment.image, sizes=sizes, seed=seed, epoch=epoch)
    order = order if repeats == 1 else repeated(order, plan, repeats)
    reads = {
        image: functools.partial(read_augmented, replace(augment, image=image), seed, epoch)
        for image in (sizes or (augment.image,))
    }
    parts = [
        Part(share(order[start:stop], rank, world, unit), reads[image], image) for start, stop, image in plan[first:]
    ]
    return batches(photos, parts, workers)


def eval_batches(
    photos: Sequence[Photo], preprocess: Preprocess, *, batch: int, workers: int, rank: int = 0, world: int = 1
) -> Iterator[Batch]:
    """Every photo once, as `preprocess` sees it; with several processes each photo in exactly one, none repeated.

    Raises DataError for an empty split and when a worker process dies.
    """
    check_split(photos, batch, rank, world)
    mine = np.arange(rank, len(photos), world)
    read = functools.partial(read_preprocessed, preprocess)
    parts = [Part(mine[start : start + batch], read, preprocess.image) for start in range(0, len(mine), batch)]
    return batches(photos, parts, workers)


def share(batch: np.ndarray, rank: int, world: int, unit: int = 1) -> np.ndarray:
    """What one of several processes has of a global batch: consecutive samples, in whole `unit`s of them."""
    units = -(-len(batch) // unit)
    return batch[unit * (units * rank // world) : unit * (units * (rank + 1) // world)]


def check_split(photos: Sequence[Photo], batch: int, rank: int, world: int) -> None:
    if not len(photos):
        raise DataError("There are no photos in this split; look at the folder with `linnet doctor PHOTOS`.")
    if batch < 1:
        raise SettingError(f"batch={batch} is not allowed; give 1 or more.")
    if not 0 <= rank < world:
        raise SettingError(f"rank={rank} with world={world} is not allowed; give 0 <= rank < world.")


def read_augmented(augment: Augment, seed: int, epoch: int, source: str | bytes | Packed, sample: int) -> np.ndarray:
    return augment.pixels(source, random_numbers(seed, epoch, sample))


def read_preprocessed(preprocess: Preprocess, source: str | bytes | Packed, sample: int) -> np.ndarray:
    if not isinstance(source, Packed):
        return preprocess.read(source)
    source.check()  # a figure is stated of these bytes: they must be those that were packed
    return preprocess.pixels(source.picture())


def request(photos: Sequence[Photo], samples: np.ndarray, read: Read, image: int) -> Request:
    index = samples % len(photos)
    chosen = [photos[i] for i in index]
    return Request(
        read,
        image,
        tuple(samples.tolist()),
        tuple(index.tolist()),
        paths=tuple(os.fspath(photo.path) for photo in chosen),
        instead=tuple(photo.packed or photo.mended for photo in chosen),
        labels=tuple(photo.target for photo in chosen),
    )


def fulfil(wanted: Request) -> Batch:
    """Make one batch: one uint8 array for all its pictures."""
    pixels = np.empty((len(wanted.paths), wanted.image, wanted.image, 3), np.uint8)
    good, bad = [], []
    for place, (path, instead, sample) in enumerate(zip(wanted.paths, wanted.instead, wanted.samples, strict=True)):
        try:
            source = instead.read().data if isinstance(instead, Mended) else instead or path
            pixels[len(good)] = wanted.read(source, sample)
            good.append(place)
        except BadImage as error:
            bad.append(Bad(path, str(error)))
    return Batch(
        torch.from_numpy(pixels[: len(good)]),
        label_tensor([wanted.labels[place] for place in good]),
        torch.tensor([wanted.index[place] for place in good], dtype=torch.int64),
        tuple(bad),
    )


def label_tensor(labels: Sequence[int | bytes]) -> torch.Tensor:
    """int64 [B] of positions; uint8 [B, classes] of one byte per class each."""
    if labels and isinstance(labels[0], bytes):
        return torch.tensor([list(hot) for hot in labels if isinstance(hot, bytes)], dtype=torch.uint8)
    return torch.tensor(labels, dtype=torch.int64)


class Fulfilment(Dataset[Batch]):
    """What torch's DataLoader calls a data set: here its 'index' is a whole Request, its 'item' a whole Batch."""

    def __getitem__(self, wanted: Request) -> Batch:  # pyright: ignore[reportIncompatibleMethodOverride]
        return fulfil(wanted)


def unchanged(batch: Any) -> Any:
    return batch


def start_worker(worker: int) -> None:
    end_with_parent()
    leave_interrupts_to_the_parent()
    torch.set_num_threads(1)


def batches(photos: Sequence[Photo], parts: Sequence[Part], workers: int) -> Iterator[Batch]:
    """The batch of each part, in this order, `workers` processes ahead of the caller (0 = in this process)."""
    if workers < 0:
        raise SettingError(f"workers={workers} is not allowed; give 0 (this process) or more.")
    return delivered(photos, parts, min(workers, len(parts)))


def delivered(photos: Sequence[Photo], parts: Sequence[Part], workers: int) -> Iterator[Batch]:
    """A worker that dies, or has not answered for STALL seconds, is survived once: all start anew at the same batch.

    Raises: DataError the second time.
    """
    done, again, iterator, wait = 0, False, None, 0.0
    while done < len(parts):
        try:
            if iterator is None:  # processes that cannot be started are an OSError
                iterator, wait = started(photos, parts[done:], workers), patience(parts)
            with ended_after(1.1 * wait, getattr(iterator, "_workers", ())):
                batch = awaited(iterator, wait)
        except (RuntimeError, OSError, EOFError) as error:
            # torch says "Caught ..." of what a worker's own code raised; the rest is about getting a batch from it.
            if workers == 0 or str(error).startswith("Caught"):
                raise
            what = str(error).partition("\n")[0].rstrip(".") or type(error).__name__
            if again:
                raise DataError(
                    f"A loader worker died or could not start ({what}). Most often memory ran out, or shared"
                    " memory in a container (docker run --shm-size=2g). Go on with: linnet train --resume RUN. If it"
                    ' happens again, lower "workers" in the run\'s recipe.json first; it cannot change the result.'
                    " (linnet evaluate: --workers 0.)"
                ) from error
            print(
                f"A loader worker died or could not start ({what}); all start anew at the same batch.",
                file=sys.stderr,
                flush=True,
            )
        else:
            done += 1
            yield batch
            continue
        for worker in getattr(iterator, "_workers", ()):  # else each hung one is waited for
            worker.kill()
        again, iterator = True, None


def patience(parts: Sequence[Part]) -> float:
    """Seconds to wait for one of these batches."""
    return STALL + max(len(part.samples) for part in parts) / 10


def awaited(iterator: Iterator[Batch], seconds: float) -> Batch:
    """The next batch. torch looks whether its workers are alive when its own timeout is over, so that is short, and
    waiting goes on until `seconds` have gone by."""
    until = time.monotonic() + seconds
    while True:
        try:
            return next(iterator)
        except RuntimeError as error:
            if not str(error).startswith("DataLoader timed out") or time.monotonic() >= until:
                raise


@contextmanager
def ended_after(seconds: float, workers: Sequence[Any]) -> Iterator[None]:
    """Kill these processes when the block takes longer.

    torch waits so long for a message and no longer, but not for what the message is about: a tensor's memory is handed
    over by the worker when it is asked for, and one that stands still never does.
    """
    if not workers:
        yield
        return
    timer = threading.Timer(seconds, lambda: [worker.kill() for worker in workers])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def started(photos: Sequence[Photo], parts: Sequence[Part], workers: int) -> Iterator[Batch]:
    loader = DataLoader(
        Fulfilment(),
        batch_size=None,
        sampler=(request(photos, *part) for part in parts),  # made when it is their turn
        collate_fn=unchanged,
        num_workers=workers,
        timeout=LOOK if workers else 0,
        worker_init_fn=start_worker if workers else None,
        multiprocessing_context=worker_context() if workers else None,
        # Its default generator would take a number from torch's global stream at every epoch.
        generator=torch.Generator().manual_seed(0),
    )
    with script_hidden():
        iterator: Any = iter(loader)
    if workers:
        iterator._workers_done_event = Told(iterator._workers_done_event)
    return iterator


class Told:
    """The event by which torch tells its workers to end, asked and set without waiting for its lock.

    Each worker takes that lock again and again to look; one that is killed meanwhile never gives it back, and torch, which
    looks too when it finds a worker dead, would wait for ever. Only this process sets the event, so it need not look.
    """

    def __init__(self, event: Any) -> None:
        self.event, self.said = event, False

    def is_set(self) -> bool:
        return self.said

    def set(self) -> None:
        self.said = True
        setting = threading.Thread(target=self.event.set, daemon=True)
        setting.start()
        setting.join(1.0)  # as a rule at once; workers that cannot hear it are killed
