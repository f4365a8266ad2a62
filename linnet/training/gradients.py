"""The gradients of a step: of the mean loss over the global batch, however it is cut."""

# pyright: reportPrivateImportUsage=false
# (torch._foreach_* is what torch's own optimisers are made of; it has no public name yet)

from __future__ import annotations

import contextlib
import hashlib
import sys
from collections.abc import Iterable
from itertools import chain
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ..errors import TrainingError, is_out_of_memory
from ..nn.batchnorm import group_sizes, learning_batch_norms
from ..nn.drop import Part, see_part
from . import measure
from .int8 import rounding
from .memory import LESS

if TYPE_CHECKING:
    from .prepare import Run


def backward(r: Run, images: Tensor, targets: Tensor, part: Part | None) -> Tensor:
    """Put the gradients into `p.grad`, and BatchNorm's running statistics where the step moves them.

    images and targets are those of this process, which are that `part` of the global batch (none: all of it); what the
    teacher says of the images is asked here. Gives the mean loss over the global batch and how many samples were right:
    float32 [2], on the device. When memory runs out the micro-batch is halved, from here to the end of the run.
    Raises: TrainingError when memory does not suffice for the smallest.
    """
    at = r.position
    while True:
        try:
            with rounding(r.net) if r.recipe.int8 else contextlib.nullcontext():
                found, moved, statistics = accumulate(r, images, targets, part)
            break
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            reason = str(error).partition("\n")[0]
        # Not inside `except`: the error holds on to what the pass had made.
        r.optimizer.zero_grad(set_to_none=True)
        r.guard.restore()
        at.micro_batch = halved(min(at.micro_batch or len(images), len(images)), r.recipe.bn_group, reason)
        torch.cuda.empty_cache()
        text = f"Out of memory: {at.micro_batch} photos at a time from here. {promise(r, bool(learning_batch_norms(r.net)))}"
        r.log.note(text, step=at.total)
        print(text, file=sys.stderr, flush=True)
    r.place.add_up(chain([found], (p.grad for p in r.net.parameters() if p.grad is not None), statistics))
    if statistics:
        torch._foreach_copy_(moved, statistics)
    return found


def accumulate(r: Run, images: Tensor, targets: Tensor, part: Part | None) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """One forward and backward pass per micro-batch. Gives this process' [loss, hits], the running statistics that the
    passes move, and its share of what they shall be; none where one pass sees the global batch, and has moved them itself."""
    seed, dtype = step_seed(r.recipe.seed, r.position.total), measure.DTYPES[r.recipe.precision]
    sizes = group_sizes(len(images), r.position.micro_batch or len(images))
    cut = part is not None or len(sizes) > 1
    first, n = part or (0, len(images))
    found = torch.zeros(2, device=images.device)
    norms = learning_batch_norms(r.net) if cut else []  # asking every module takes as long as a small layer
    moved = [b for m in norms for b in (m.running_mean, m.running_var) if b is not None]
    statistics = [torch.zeros_like(tensor) for tensor in moved]
    for i, (x, y) in enumerate(zip(images.split(sizes), targets.split(sizes), strict=True)):
        if cut:
            see_part(r.net, Part(first, n))
        if i:
            r.guard.restore()
        y = r.teacher.asked(y, x)
        seed_generators(seed, x.device)
        with torch.autocast(x.device.type, dtype, enabled=dtype != torch.float32):
            logits = r.net(x)
        loss = r.loss.per_sample(logits, y).sum() / n
        loss.backward()
        found += torch.stack([loss.detach(), r.loss.right(logits, y).sum()])
        if statistics:
            torch._foreach_add_(statistics, torch._foreach_mul(moved, len(x) / n))
        first += len(x)
    if cut:
        see_part(r.net, None)
    return found, moved, statistics


def total_norm(params: Iterable[nn.Parameter]) -> Tensor:
    """The 2-norm of all gradients together, on the device: torch.nn.utils.get_total_norm's, for tensors on one device."""
    return torch.linalg.vector_norm(torch.stack(torch._foreach_norm([p.grad for p in params if p.grad is not None])))


def step_seed(seed: int, total: int) -> int:
    """The seed of torch's generator (dropout, drop path) in one step: random numbers are a function, never a stream."""
    return int.from_bytes(hashlib.blake2b(f"{seed} {total}".encode(), digest_size=7).digest())


def seed_generators(seed: int, device: torch.device) -> None:
    """torch's own generators of the CPU and of `device`.

    torch.manual_seed also asks for generators of devices that are not there, and keeps who asked: 0.3 ms each time.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)


def halved(photos: int, group: int | None, reason: str) -> int:
    """Half as many photos at a time, in whole groups of BatchNorm.

    Raises: TrainingError where it cannot be less.
    """
    unit = group or 1
    half = photos // 2 // unit * unit
    if half < max(2, unit):
        raise TrainingError(f"Out of memory with {photos} photos at a time ({reason}). {LESS}")
    return half


def promise(r: Run, learning: bool) -> str:
    """What micro-batches change."""
    if r.recipe.bn_group or not learning:
        return "The result is the same but for rounding."
    return "BatchNorm's statistics are now theirs, so the result differs; with bn_group in the recipe it would not."
