"""PyTorch itself as a contestant: what a network takes without any runtime, so that a gain can be seen. And networks to
be timed without having been trained."""

from __future__ import annotations

import json

import numpy as np
import torch
from torch import Tensor

from ..arch import names  # noqa: F401  (every family's operators, by which from_json knows them)
from ..arch.spec import Arch
from ..cores import available_cores
from ..nn.build import build
from ..nn.net import Net
from .runtime.known import Run


def load_eager(arch: bytes, *, threads: int = 0) -> Run:
    """The network of an Arch in JSON as a function of images [B, 3, H, W], channels-last, with weights as `untrained` draws them."""
    net = untrained(Arch.from_json(json.loads(arch))).to(memory_format=torch.channels_last)
    threads = threads or available_cores()

    def run(images: np.ndarray) -> np.ndarray:
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        with torch.inference_mode():
            return net(torch.from_numpy(images).contiguous(memory_format=torch.channels_last)).numpy()

    return run


def untrained(arch: Arch) -> Net:
    """The network with drawn weights, the same each time, whose batch norms have seen a batch.

    Without that activations shrink from layer to layer to numbers so small (denormals) that processors crawl over them; a
    trained network has none, and its time is what is asked for.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = build(arch).train()
        momenta = {m: m.momentum for m in net.modules() if hasattr(m, "momentum")}
        for norm in momenta:
            norm.momentum = 1.0  # type: ignore[assignment]
        images: Tensor = torch.randn(4, net.in_chans, arch.image, arch.image)
        with torch.no_grad():
            net(images)
        for norm, momentum in momenta.items():
            norm.momentum = momentum  # type: ignore[assignment]
    return net.eval()
