"""The kernels that give the same bits each time, where there are such; on a CPU all of ours are."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def same_bits(on: bool, say: Callable[[str], None]) -> Iterator[None]:
    """Inside, with `on`, torch takes deterministic kernels; of an operation that has none `say` is told, once each."""
    if not on:
        yield
        return
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    benchmark, told = torch.backends.cudnn.benchmark, set[str]()
    with warnings.catch_warnings():
        plain = warnings.showwarning

        def show(message: Warning | str, *rest: Any, **more: Any) -> None:
            name = str(message).partition(" does not have a deterministic implementation")[0]
            if name == str(message):
                plain(message, *rest, **more)
            elif name not in told:
                told.add(name)
                say(f"{name} has no kernel that gives the same bits each time: two such runs may differ in their last.")

        warnings.filterwarnings("always", message=".*does not have a deterministic implementation")
        warnings.showwarning = show
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.backends.cudnn.benchmark = False
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before[0], warn_only=before[1])
            torch.backends.cudnn.benchmark = benchmark
