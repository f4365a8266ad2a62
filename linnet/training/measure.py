"""Which memory format and precision are fastest for this network, size, batch and machine: measured, never guessed."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn

from ..errors import is_out_of_memory
from .loss import soft_cross_entropy

FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
MOST = 64  # images at once: enough to tell, and a published batch of 4096 may not fit in here
BEHIND = 1.3  # so much slower than the best is out of the race
CLEARLY = 1.05  # bf16 has to win by this much: it costs precision


@dataclass(frozen=True)
class Candidate:
    memory_format: str
    precision: str
    images_per_second: float = 0.0


def choose(
    net: nn.Module,
    *,
    image: int,
    batch: int,
    classes: int,
    device: torch.device,
    memory_format: str = "auto",
    precision: str = "auto",
    seconds: float = 5.0,
) -> tuple[Candidate, tuple[Candidate, ...]]:
    """The fastest allowed candidate, and all that were measured.

    Each trains a copy of `net` in turn, alternating, on the same random images, until `seconds` have gone by;
    whoever is far behind after a round is not run again. The best round counts: other work on the machine only slows.
    What the recipe fixes is not measured; with one candidate left nothing is. Where memory does not suffice for `batch`
    images, half as many are measured.
    """
    allowed = [
        Candidate(layout, number)
        for layout, number in (("contiguous", "fp32"), ("channels_last", "fp32"), ("channels_last", "bf16"),
                               ("contiguous", "bf16"))
        if memory_format in ("auto", layout) and precision in ("auto", number)
        and (number == "fp32" or precision == "bf16" or bf16_is_supported(device))
        # bf16 gains nothing in the plain layout, so it is only tried there when asked for.
        and not (layout == "contiguous" and number == "bf16" and memory_format == "auto")
    ]  # fmt: skip
    if len(allowed) == 1:
        return allowed[0], ()
    while True:
        try:
            measured = race(net, allowed, image=image, batch=batch, classes=classes, device=device, seconds=seconds)
            return fastest(measured), measured
        except RuntimeError as error:
            if not is_out_of_memory(error) or batch < 4:
                raise
        batch //= 2
        torch.cuda.empty_cache()


def race(
    net: nn.Module, allowed: Sequence[Candidate], *, image: int, batch: int, classes: int, device: torch.device,
    seconds: float,
) -> tuple[Candidate, ...]:  # fmt: skip
    """The candidates with their images per second: see `choose`."""
    torch.manual_seed(0)
    images = torch.randn(batch, 3, image, image, device=device)
    targets = torch.full((batch, classes), 1 / classes, device=device)
    trial = copy.deepcopy(net).train()
    best = {candidate: float("inf") for candidate in allowed}
    for candidate in allowed:  # kernels are compiled and threads started before anybody's time is taken
        _seconds_of_a_step(trial, images[:2], targets[:2], candidate)
    racing, rounds, began = list(allowed), 0, time.perf_counter()
    # A second round within reason, others within `seconds`: a machine busy with something else must not hold us up.
    while len(racing) > 1 and time.perf_counter() - began < (seconds, 3 * seconds)[rounds < 2]:
        for candidate in racing:
            best[candidate] = min(best[candidate], _seconds_of_a_step(trial, images, targets, candidate))
        racing, rounds = [c for c in racing if best[c] < BEHIND * min(best.values())], rounds + 1
    return tuple(replace(c, images_per_second=round(batch / took, 2)) for c, took in best.items())


def fastest(measured: tuple[Candidate, ...]) -> Candidate:
    """The most images per second, where bf16 counts only when it is clearly ahead of every fp32."""
    exact = [c for c in measured if c.precision == "fp32"]
    short = [c for c in measured if c.precision == "bf16"]
    first = max(exact or short, key=lambda c: c.images_per_second)
    rival = max(short, key=lambda c: c.images_per_second, default=first)
    return rival if rival.images_per_second >= CLEARLY * first.images_per_second else first


def bf16_is_supported(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def _seconds_of_a_step(net: nn.Module, images: torch.Tensor, targets: torch.Tensor, candidate: Candidate) -> float:
    layout = FORMATS[candidate.memory_format]
    net.to(memory_format=layout)
    net.zero_grad(set_to_none=True)
    given = images.contiguous(memory_format=layout)
    _wait(images.device)
    began = time.perf_counter()
    with torch.autocast(images.device.type, DTYPES[candidate.precision], enabled=candidate.precision != "fp32"):
        logits = net(given)
    soft_cross_entropy(logits, targets).mean().backward()
    _wait(images.device)
    return time.perf_counter() - began


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()
