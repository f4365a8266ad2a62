"""Memory of a training step: what every row keeps for the backward pass, and the most that all tensors take at once.

A whole step is run with fake tensors, which have shapes, strides and types but no numbers, so it is exact and costs no
memory: every tensor is counted from when it is made to when it is let go, as PyTorch's own allocator would.
"""

# pyright: reportPrivateUsage=false, reportUnknownLambdaType=false, reportUnknownMemberType=false, reportUnknownArgumentType=false
# (a module says nothing public that would put other tensors in the place of its own)

from __future__ import annotations

import weakref
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ..arch.spec import Arch
from ..nn.build import build
from ..nn.net import Net
from .need import Precision, TrainMemory

STATES = 2  # of AdamW and RMSProp, per weight; momentum SGD has one


class Live(TorchDispatchMode):
    """Counts the bytes of all tensors that are made while it is on, as long as each is there."""

    def __init__(self) -> None:
        super().__init__()
        self.known = set[int]()
        self.now = self.peak = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for value in tree_leaves(out):
            if isinstance(value, Tensor):
                self.see(value)
        return out

    def see(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        if id(storage) not in self.known:
            self.known.add(id(storage))
            self.now += storage.nbytes()
            self.peak = max(self.peak, self.now)
            weakref.finalize(storage, self.forget, id(storage), storage.nbytes())

    def forget(self, storage: int, size: int) -> None:
        self.known.discard(storage)
        self.now -= size


class Kept:
    """What autograd keeps for the backward pass, by the row that made it; weights and what two rows keep count once."""

    def __init__(self, net: Net) -> None:
        self.row = ""
        self.sizes: dict[str, int] = dict.fromkeys(net.arch.row_names, 0)
        self.known = {id(t.untyped_storage()): t for t in (*net.parameters(), *net.buffers())}
        for name, row in zip(net.arch.row_names, (*net.stem, *net.stages, *net.head), strict=True):
            row.register_forward_pre_hook(lambda *_, name=name: setattr(self, "row", name))

    def pack(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if id(storage) not in self.known and self.row:
            self.known[id(storage)] = tensor.detach()  # holds on to it, so that no other takes its number
            self.sizes[self.row] += storage.nbytes()
        return tensor


def train_memory(
    arch: Arch, image: int | None = None, *, batch: int = 32, precision: Precision = "fp32"
) -> TrainMemory:
    """Of a step with this batch in one process, without `recompute` and micro-batches.

    >>> from linnet.arch.names import find
    >>> found = train_memory(find("mobilenetv3_small_100"), 64, batch=8)
    >>> found.gradients == 4 * 2_542_856
    True
    """
    side = image or arch.image
    with torch.device("meta"):
        net = build(arch).train()
    fake = FakeTensorMode()
    pretend(net, fake)
    learned = size_of(net.parameters())
    whole = learned + size_of(net.buffers())
    kept, live = Kept(net), Live()
    with fake, live:
        pixels = torch.empty(batch, side, side, 3, dtype=torch.uint8)
        photos = pixels.float().permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
        targets = torch.empty(batch, max(1, arch.classes))
        given = live.now
        with (
            torch.autograd.graph.saved_tensors_hooks(kept.pack, lambda tensor: tensor),
            torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"),
        ):
            logits = net(photos)
        kept.row = ""
        loss = -(targets * logits.float().log_softmax(1)).sum(1).mean()
        kept.known.clear()
        loss.backward()
        during = live.peak
    held = whole + whole + STATES * learned  # the network, its average, the optimiser's states
    return TrainMemory(
        arch, side, batch, precision, tuple(kept.sizes.items()),
        weights=whole, average=whole, gradients=learned, optimizer=STATES * learned, photos=given,
        peak=held + max(during, learned + given),
    )  # fmt: skip


def pretend(net: nn.Module, fake: FakeTensorMode) -> None:
    """Make the parameters and buffers of a network on the meta device fake ones on the CPU."""
    for m in net.modules():
        for name, p in m._parameters.items():
            if p is not None:
                m._parameters[name] = nn.Parameter(FakeTensor(fake, p.detach(), torch.device("cpu")))
        for name, b in m._buffers.items():
            if b is not None:
                m._buffers[name] = FakeTensor(fake, b.detach(), torch.device("cpu"))


def size_of(tensors: Any) -> int:
    return sum(t.numel() * t.element_size() for t in tensors)
