"""Several processes that train as one: each has its share of every batch, and all take the same step.

`torchrun ... -m linnet train` or `linnet train --processes N` starts them; this file is what they say to each other. No
torch here before it is needed: a wrong setting is refused at once.

Gradients are summed up in one message after the backward pass, not by DistributedDataParallel during it: see
docs/decisions/0007-processes.md.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from ..errors import LinnetError, SettingError, TrainingError
from .launch import end_with_parent

if TYPE_CHECKING:
    from torch import Tensor

    from ..data.loader import Batch
    from ..nn.drop import Part
    from .recipe import Recipe

T = TypeVar("T")
START = timedelta(
    minutes=30
)  # until all are there; and for what one does while the others wait, such as looking at photos
STEP = timedelta(seconds=180)  # who has not answered in a step for so long is lost; longer than loader.STALL


@dataclass(frozen=True)
class Place:
    """Where this process stands among those of its run. One alone is `Place()`, and all methods do nothing then."""

    rank: int = 0
    world: int = 1
    local_rank: int = 0  # among those on this machine
    local_world: int = 1
    steps: Any = None  # the process group of the steps; the default one is for what takes longer

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
        import torch.distributed as dist

        if self.world > 1:
            with answers():
                dist.broadcast_object_list([(made, value)])

    def _hear(self) -> Any:
        import torch.distributed as dist

        told: list[Any] = [None]
        with answers():
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
        with answers():
            dist.all_gather_object(found, value, group=self.steps)
        return found

    def numbers(self, *mine: int) -> list[list[int]]:
        """Everybody's whole numbers, by rank."""
        import torch
        import torch.distributed as dist

        if self.world == 1:
            return [list(mine)]
        found = [torch.zeros(len(mine), dtype=torch.int64) for _ in range(self.world)]
        with answers():
            dist.all_gather(found, torch.tensor(mine), group=self.steps)
        return [numbers.tolist() for numbers in found]

    def any(self, *asked: bool) -> tuple[bool, ...]:
        """Whether somebody asks for it; the same answer in all processes."""
        return tuple(any(column) for column in zip(*self.numbers(*map(int, asked)), strict=True))

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Put the sum over all processes into these float32 tensors, in one message."""
        import torch
        import torch.distributed as dist

        if self.world == 1:
            return
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        with answers():
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
    """This process' share of the step: how many photos the others have, which of theirs went bad, and the one before."""
    if place.world == 1:
        return Share(batch)
    from ..nn.drop import Part

    numbers = place.numbers(len(batch.labels), len(batch.bad))
    counts = [count for count, _ in numbers]
    if any(bad for _, bad in numbers):
        batch = batch._replace(bad=tuple(one for bads in place.gather(batch.bad) for one in bads))
    if mixing:
        batch = with_neighbour(place, batch)
    return Share(batch, int(mixing), Part(sum(counts[: place.rank]), sum(counts)))


def with_neighbour(place: Place, batch: Batch) -> Batch:
    """The batch with the last sample of the process before in front; in front of the first, that of the last."""
    import torch
    import torch.distributed as dist

    columns = (batch.images, batch.labels, batch.index)
    mine = torch.cat([column[-1:].contiguous().view(torch.uint8).flatten() for column in columns])
    theirs = torch.empty_like(mine)
    with answers():
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
        batches = [sized_batch(phase.batch, phase.image, side) for side in phase.sizes] or [phase.batch]
        most = min(min(batches), photos) // group
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
        yield Place()
        return
    names = ("RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
    if missing := [name for name in names if name not in os.environ]:
        raise SettingError(
            f"WORLD_SIZE is {world}, but {missing[0]} is not set. Start several processes with torchrun or --processes."
        )
    end_with_parent()
    import torch
    import torch.distributed as dist

    rank, local_rank, local_world = (int(os.environ[name]) for name in names[:3])
    backend = "gloo"
    if torch.cuda.is_available():
        torch.cuda.set_device(local_rank % torch.cuda.device_count())
        backend = "cpu:gloo,cuda:nccl"
    with answers():
        dist.init_process_group(backend, timeout=START)
        steps = dist.new_group(timeout=STEP, backend=backend)
    yield Place(rank, world, local_rank, local_world, steps)
    dist.destroy_process_group()  # not after an error: the others may be gone, and it would wait for them


def job() -> str:
    """What torchrun's processes have in common when it starts them again after a loss; "" without torchrun.

    Asked in the first process, which stays on its machine unless torchrun has a --rdzv-id of its own.
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return ""
    run_id = os.environ["TORCHELASTIC_RUN_ID"]
    return run_id if run_id != "none" else f"{socket.gethostname()} {os.getppid()}"


def folder_of_job(path: Path) -> Path | None:
    """The run that this job began at `path` (or path-2, ...) before torchrun had to start it again; none at first."""
    if os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") == "0":
        return None
    for folder in (path, *path.parent.glob(f"{path.name}-*")):
        about = folder / "environment.json"
        begun = (folder / "last.ckpt").is_file() and about.is_file()
        if begun and json.loads(about.read_text(encoding="utf-8")).get("job") == job():
            return folder
    return None


@contextmanager
def answers() -> Iterator[None]:
    """Raises: TrainingError where another process is gone or does not answer in time."""
    try:
        yield
    except RuntimeError as error:
        what = " ".join(str(error).split())
        raise TrainingError(
            f"Another process of this run ended, or did not answer for {STEP.total_seconds():.0f} s ({what[:120]})."
            " What it said stands above. Go on with: linnet train --resume RUN"
        ) from error
