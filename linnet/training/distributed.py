"""Several processes that train as one: each has its share of every batch, and all take the same step.

`torchrun ... -m linnet train` or `linnet train --processes N` starts them; this file is what they say to each other. No
torch here before it is needed: a wrong setting is refused at once.

Gradients are summed up in one message after the backward pass, not by DistributedDataParallel during it: see
docs/decisions/0007-processes.md.
"""

# pyright: reportPrivateImportUsage=false
# (torch.distributed documents its stores, but does not list them)

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from ..errors import DataError, LinnetError, SettingError, others_answer
from .launch import end_with_launcher

if TYPE_CHECKING:
    from torch import Tensor

    from ..data.loader import Bad, Batch
    from ..nn.drop import Part
    from .recipe import Recipe

T = TypeVar("T")
START = timedelta(hours=3)  # until all are there; and for what one does while they wait: looking at a million photos
STEP = timedelta(seconds=180)  # who has not answered in a step for so long is lost; longer than loader.STALL


@dataclass(frozen=True)
class Place:
    """Where this process stands among those of its run. One alone is `Place()`, and all methods do nothing then."""

    rank: int = 0
    world: int = 1
    local_rank: int = 0  # among those on this machine
    local_world: int = 1
    steps: Any = None  # the process group of the steps; the default one is for what takes longer
    store: Any = None  # see store_of_job

    @property
    def first(self) -> bool:
        """Whether this is the one that writes and speaks."""
        return self.rank == 0

    def once(self, make: Callable[[], T]) -> T:
        """What `make()` gives in the first process, in all of them. When it fails there, the others leave silently."""
        if not self.first:
            return self._hear()
        with self._failure_told():
            made = make()
        self._tell(True, made)
        return made

    @contextmanager
    def in_turn(self) -> Iterator[None]:
        """The block runs in the first process and then in the others, which find what it has left on the disk."""
        if not self.first:
            self._hear()
            yield
            return
        with self._failure_told():
            yield
        self._tell(True, None)

    @contextmanager
    def _failure_told(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            self._tell(False, getattr(error, "exit_code", 1))
            raise

    def _tell(self, made: bool, value: Any) -> None:
        if self.world == 1:
            return
        import torch.distributed as dist

        with others_answer(START):
            dist.broadcast_object_list([(made, value)])

    def _hear(self) -> Any:
        import torch.distributed as dist

        told: list[Any] = [None]
        with others_answer(START):
            dist.broadcast_object_list(told)
        made, value = told[0]
        if not made:
            raise SystemExit(value)
        return value

    @contextmanager
    def said_once(self) -> Iterator[None]:
        """For an error that all processes meet alike: the first raises it, the others leave with its exit code."""
        try:
            yield
        except LinnetError as error:
            if self.first:
                raise
            raise SystemExit(getattr(error, "exit_code", 1)) from None

    def gather(self, value: T) -> list[T]:
        """Everybody's value, by rank."""
        import torch.distributed as dist

        if self.world == 1:
            return [value]
        found: list[Any] = [None] * self.world
        with others_answer(STEP):
            dist.all_gather_object(found, value, group=self.steps)
        return found

    def numbers(self, *mine: int) -> list[list[int]]:
        """Everybody's whole numbers, by rank."""
        import torch
        import torch.distributed as dist

        if self.world == 1:
            return [list(mine)]
        found = [torch.zeros(len(mine), dtype=torch.int64) for _ in range(self.world)]
        with others_answer(STEP):
            dist.all_gather(found, torch.tensor(mine), group=self.steps)
        return [numbers.tolist() for numbers in found]

    def any(self, *asked: bool) -> tuple[bool, ...]:
        """Whether somebody asks for it; the same answer in all processes."""
        return tuple(any(column) for column in zip(*self.numbers(*map(int, asked)), strict=True))

    def begin(self, where: Path, folder: Path) -> None:
        """Let those that torchrun starts after a loss know which run this job has begun when `where` was asked for."""
        if self.store:
            self.store.set(f"linnet train {where.absolute()}", str(folder))

    def begun(self, where: Path) -> Path | None:
        """The run that this job began before it was started again; none at first, and before there was a checkpoint."""
        key = f"linnet train {where.absolute()}"
        if not self.store or not self.store.check([key]):
            return None
        folder = Path(self.store.get(key).decode())
        return folder if (folder / "last.ckpt").is_file() else None

    def add_up(self, tensors: Iterable[Tensor]) -> None:
        """Put the sum over all processes into these float32 tensors, in one message."""
        if self.world == 1:
            return
        import torch
        import torch.distributed as dist

        tensors = list(tensors)
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        with others_answer(STEP):
            dist.all_reduce(flat, group=self.steps)
        for tensor, part in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
            tensor.copy_(part.view(tensor.shape))


ALONE = Place()


class Share(NamedTuple):
    """A process' share of a global batch. Mixing needs the sample that stands before it: then that is put in front."""

    batch: Batch
    front: int = 0  # samples in front that are another process'
    part: Part | None = None  # which part of the global batch it is; none: the whole

    @property
    def n(self) -> int:
        """Samples in the global batch."""
        return self.part.of if self.part else len(self.batch.labels)


def meet(place: Place, batch: Batch, *, mixing: bool) -> Share:
    """This process' share of the step: how many photos the others have, which of theirs went bad, and the one before.

    Raises: DataError when so many photos of the global batch have gone bad that nothing can be learnt from it.
    """
    from ..nn.drop import Part

    numbers = place.numbers(len(batch.labels), len(batch.bad))
    counts = [count for count, _ in numbers]
    if place.world > 1 and any(bad for _, bad in numbers):
        batch = batch._replace(bad=tuple(one for bads in place.gather(batch.bad) for one in bads))
    with place.said_once():
        check_readable(counts, batch.bad)
    if place.world == 1:
        return Share(batch)
    if mixing:
        batch = with_neighbour(place, batch)
    return Share(batch, int(mixing), Part(sum(counts[: place.rank]), sum(counts)))


def check_readable(counts: Sequence[int], bad: Sequence[Bad]) -> None:
    """Raises: DataError where all processes together have less than two photos of a batch, or one has none."""
    if sum(counts) >= 2 and min(counts) >= 1:
        return
    first = f"; {bad[0].path}: {bad[0].reason}" if bad else ""
    shares = f", by process {', '.join(map(str, counts))}" if len(counts) > 1 else ""
    raise DataError(
        f"Of a whole batch {sum(counts)} photos can be read{shares}{first}. Is the disk still there? Then: linnet train"
        " --resume RUN"
    )


def with_neighbour(place: Place, batch: Batch) -> Batch:
    """The batch with the last sample of the process before in front; in front of the first, that of the last."""
    import torch
    import torch.distributed as dist

    columns = (batch.images, batch.labels, batch.index)
    mine = torch.cat([column[-1:].contiguous().view(torch.uint8).flatten() for column in columns])
    theirs = torch.empty_like(mine)
    with others_answer(STEP):
        sent = dist.isend(mine, (place.rank + 1) % place.world, group=place.steps)
        dist.recv(theirs, (place.rank - 1) % place.world, group=place.steps)
        assert sent is not None
        sent.wait()
    parts = theirs.split([column[-1:].nbytes for column in columns])
    joined = [
        torch.cat([part.clone().view(column.dtype).view(1, *column.shape[1:]), column])
        for part, column in zip(parts, columns, strict=True)
    ]
    return batch._replace(images=joined[0], labels=joined[1], index=joined[2])


def check_shares(recipe: Recipe, photos: int, world: int) -> None:
    """Raises: SettingError where a process would have no whole group of BatchNorm, or less than two photos, of a batch."""
    from ..data.cuts import sized_batch

    group = recipe.bn_group or 2
    for i, phase in enumerate(recipe.phases):
        # What is left at the end of an epoch of several sizes can be as small as `batch`.
        batches = [phase.batch, *(sized_batch(phase.batch, phase.image, side) for side in phase.sizes)]
        most = min(*batches, photos) // group
        if world > 1 and most < world:
            raise SettingError(
                f"{world} processes share each batch, but phases.{i} has only {most} times {group} photos in one."
                f" Take {max(most, 1)} processes, or a larger batch."
            )


@contextmanager
def joined() -> Iterator[Place]:
    """Join the processes that torchrun (or `--processes`) started; in a process that nobody started so, alone.

    Raises: SettingError for an environment that says half of it.
    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        yield Place(store=store_of_job())
        return
    names = ("RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
    if missing := [name for name in names if name not in os.environ]:
        raise SettingError(
            f"WORLD_SIZE is {world}, but {missing[0]} is not set. Start several processes with torchrun or --processes."
        )
    end_with_launcher()
    import torch
    import torch.distributed as dist

    rank, local_rank, local_world = (int(os.environ[name]) for name in names[:3])
    backend = "gloo"
    if torch.cuda.is_available():
        torch.cuda.set_device(local_rank % torch.cuda.device_count())
        backend = "cpu:gloo,cuda:nccl"
    store, mine = store_of_job(), {}
    with others_answer(START):
        if store:
            part = dist.PrefixStore(agreed(store, rank, world), store)
            mine = {"store": part, "rank": rank, "world_size": world}
        dist.init_process_group(backend, timeout=START, **mine)
        steps = dist.new_group(timeout=STEP, backend=backend)
    yield Place(rank, world, local_rank, local_world, steps, store)
    dist.destroy_process_group()  # not after an error: the others may be gone, and it would wait for them


def store_of_job() -> Any:
    """torchrun's own store, which outlives the processes that it starts again and again; none without torchrun.

    It knows no other job, whatever --rdzv-id says, and nothing is left of it afterwards.
    """
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        return None
    import torch.distributed as dist

    with others_answer(START):
        return dist.TCPStore(os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), is_master=False, timeout=START)


def agreed(store: Any, rank: int, world: int) -> str:
    """A name that those who were started together agree on, through a store in which others' before them have left theirs.

    They would else find the addresses of the dead. Neither torchrun's count of starts nor an environment variable tells
    them apart: each machine counts for itself.
    """
    mine, until = uuid.uuid4().hex, time.monotonic() + START.total_seconds()
    if rank:
        store.set(f"hello {rank}", mine)
        name = store.get(mine).decode()  # waits for the answer of the first
        store.add(f"heard {name}", 1)
        return name
    while store.add(f"heard {mine}", 0) < world - 1:
        for key in (f"hello {other}" for other in range(1, world)):
            if store.check([key]):
                store.set(store.get(key).decode(), mine)
        if time.monotonic() > until:
            raise RuntimeError("not all processes were started")
        time.sleep(0.01)
    return mine
