"""Where a run stands: a few numbers and the tensors, in one file that is whole or absent."""

from __future__ import annotations

import dataclasses
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any

import torch
from torch import Tensor

from ..errors import WeightsError
from ..nn.net import Net
from ..weights.model import load_exactly
from ..weights.tensors import DiskFull, hash_tensors, read_tensors, write_tensors
from .ema import Ema
from .optim import load_optimizer, optimizer_tensors

NAME = "last.ckpt"


@dataclass
class Position:
    """All of a run's state that is no tensor. Random numbers are functions of it, so no generator is kept."""

    epoch: int = 0
    step: int = 0  # in this epoch
    total: int = 0  # steps since the start, skipped ones too
    updates: int = 0  # of the weights, and so of their average
    loss_sum: float = 0.0  # this epoch's
    hits: float = 0.0
    seen: int = 0
    skipped: int = 0
    skipped_in_a_row: int = 0
    best_top1: float = -1.0  # or what else `score` gives
    best_loss: float = float(2**60)
    best_epoch: int = -1
    micro_batch: int | None = None  # photos at a time, which fell when memory ran out; none: all of a process' share
    log_bytes: int = 0
    data: str = ""  # hash of the classes and the photos, see `hash_photos`

    def count(self, loss: float, hits: float, images: int, *, finite: bool) -> None:
        """One step more; one that was not finite counts as skipped and in no average."""
        self.step += 1
        self.total += 1
        self.skipped += not finite
        self.skipped_in_a_row = 0 if finite else self.skipped_in_a_row + 1
        if finite:
            self.updates += 1
            self.seen += images
            self.loss_sum += loss * images
            self.hits += hits

    def next_epoch(self) -> None:
        self.epoch += 1
        self.step = self.seen = self.skipped = 0
        self.loss_sum = self.hits = 0.0


class Checkpoint:
    """What is saved in `folder`/last.ckpt, and how it is put back."""

    def __init__(self, folder: Path, net: Net, ema: Ema, optimizer: torch.optim.Optimizer, minutes: float) -> None:
        self.path, self.net, self.ema, self.optimizer = folder / NAME, net, ema, optimizer
        self._seconds, self._saved = 60 * minutes, time.monotonic()
        self._go_on = f"Free some space, then: linnet train --resume {quote(str(folder))}"

    def tensors(self) -> dict[str, Tensor]:
        return {
            **{f"model.{name}": tensor for name, tensor in self.net.state_dict().items()},
            **{f"ema.{name}": tensor for name, tensor in self.ema.state_dict().items()},
            **{f"optimizer.{name}": tensor for name, tensor in optimizer_tensors(self.optimizer, self.net).items()},
        }

    def save(self, position: Position) -> None:
        """Raises: DiskFull; the older checkpoint stays as it was."""
        write_tensors(self.path, self.tensors(), dataclasses.asdict(position), kind="checkpoint", remedy=self._go_on)
        self._saved = time.monotonic()

    @property
    def is_due(self) -> bool:
        return time.monotonic() - self._saved >= self._seconds

    def load(self) -> Position:
        """Put the saved tensors into the network, its average and the optimiser.

        Raises: WeightsError for a checkpoint that is missing, damaged or of another network.
        """
        remedy = "Train anew from the same recipe.json; best.safetensors, if there, is a whole model of its own."
        tensors, facts = read_tensors(self.path, kind="checkpoint", remedy=remedy)
        load_exactly(self.net, _part(tensors, "model."), what=str(self.path))
        load_exactly(self.ema.net, _part(tensors, "ema."), what=str(self.path))
        load_optimizer(self.optimizer, self.net, _part(tensors, "optimizer."))
        facts = {"micro_batch": None, **facts}  # older files do not say it
        names = {f.name for f in dataclasses.fields(Position)}
        if missing := names - facts.keys():
            raise WeightsError(f"{self.path}: says nothing of {sorted(missing)[0]}. {remedy}")
        position = Position(**{name: facts[name] for name in names})
        self.ema.updates = position.updates
        return position

    def require_room(self, copies: int = 3) -> None:
        """Raises: DiskFull when fewer than `copies` checkpoints would fit (the optimiser's part is not there yet)."""
        size = sum(p.nbytes for p in self.net.state_dict().values())
        needed, free = copies * 4 * size, shutil.disk_usage(self.path.parent).free
        if free < needed:
            raise DiskFull(
                f"{self.path.parent}: {free:,} bytes free, {needed:,} bytes needed to keep checkpoints."
                " Free some space or give another folder with --out."
            )


def hash_checkpoint(path: str | Path) -> dict[str, str]:
    """SHA-256 of the model's, the average's and the optimiser's tensors in a last.ckpt: to compare two runs."""
    tensors, _ = read_tensors(path, kind="checkpoint", remedy="Give a run's last.ckpt.")
    return {part: hash_tensors(_part(tensors, f"{part}.")) for part in ("model", "ema", "optimizer")}


def remove_stale(folder: Path) -> None:
    """Remove the temporary files that a killed process left: ours (.NAME.*.tmp) and safetensors' (.tmp??????)."""
    for pattern in (".*.tmp", ".tmp??????"):
        for path in folder.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)  # a bundle that was being made
            else:
                path.unlink(missing_ok=True)


def _part(tensors: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
