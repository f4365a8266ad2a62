"""What our loop costs beside a bare PyTorch loop: the same network, optimiser and pictures in memory; CPU, fp32.

    python benchmarks/overhead.py                 5 rounds of 40 steps each, alternating; under 3 minutes on two cores
    python benchmarks/overhead.py --rounds 1      a look

Ours is `linnet.training.loop.train_epoch` with everything that a run has: guard against non-finite steps, average of the
weights, gradient norm, mixing, log, progress. Only the loader is replaced by a list of batches, on both sides. The bare one is
what a tutorial writes: forward, cross-entropy, backward, step. Two further rows say where the difference is: the bare loop with
the average of the weights (the same `Ema`), and with average and gradient norm. A round's figure is the median of its steps,
each timed from batch to batch, so that what else the machine does for a moment does not count; the ratios are taken within
a round. All steps of so short an epoch are logged, which in longer ones is one in several.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from about import about
from PIL import Image
from torch.nn import functional as F

from linnet.data.loader import Batch
from linnet.data.source import find_photos
from linnet.training import loop
from linnet.training.ema import Ema
from linnet.training.prepare import normaliser, prepare
from linnet.training.progress import Progress
from linnet.training.recipe import Phase, Recipe
from linnet.training.stop import StopRequest

WAYS = ("bare", "bare + average", "bare + average + norm", "ours")


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--arch", default="mobilenetv3_small_100")
    options.add_argument("--image", type=int, default=128)
    options.add_argument("--batch", type=int, default=32)
    options.add_argument("--steps", type=int, default=40)
    options.add_argument("--rounds", type=int, default=5)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        photos = draw(here / "photos", given.batch)
        r = prepare(recipe(given), photos, here / "run", resume=False, progress=Progress(quiet=True))
        r = replace_train(r, given.steps)
        rng = np.random.default_rng(0)
        batches = [
            Batch(
                torch.from_numpy(rng.integers(0, 256, (given.batch, given.image, given.image, 3), dtype=np.uint8)),
                torch.arange(given.batch) % 2,
                torch.arange(given.batch),
                (),
            )
            for _ in range(given.steps)
        ]
        steps: list[float] = []  # seconds of each in the turn that runs
        loop.epoch_batches = lambda r: timed(batches, steps)  # type: ignore[assignment]
        ema = Ema(r.net, 0.999)
        seconds: dict[str, list[float]] = {way: [] for way in WAYS}
        for round_ in range(given.rounds + 1):  # the first one warms up
            for way in WAYS if round_ % 2 else reversed(WAYS):
                steps.clear()
                if way == "ours":
                    ours(r)
                else:
                    bare(r, timed(batches, steps), ema=ema if "average" in way else None, norm="norm" in way)
                if round_:
                    seconds[way].append(statistics.median(steps))
        r.log.close()
    print(f"{given.arch}, {given.image} px, batch {given.batch}, {given.rounds} rounds of {given.steps} steps.\n")
    print("| loop | ms a step, median | lowest to highest | of the bare loop, median of the rounds and their spread |")
    print("|---|---|---|---|")
    for way in WAYS:
        own = [1000 * s for s in seconds[way]]
        ratios = sorted(a / b for a, b in zip(seconds[way], seconds["bare"], strict=True))
        print(
            f"| {way} | {statistics.median(own):.2f} | {min(own):.2f} to {max(own):.2f} |"
            f" {statistics.median(ratios):.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f}) |"
        )
    print(f"\n{json.dumps(about())}")
    return 0


def timed(batches: Sequence[Batch], into: list[float]) -> Iterator[Batch]:
    for batch in batches:
        began = time.perf_counter()
        yield batch
        into.append(time.perf_counter() - began)


def recipe(given: argparse.Namespace) -> Recipe:
    phase = Phase(epochs=10_000, image=given.image, batch=given.batch)
    return Recipe(arch=given.arch, phases=(phase,), precision="fp32", memory_format="channels_last", workers=0)


def draw(root: Path, n: int):
    for i in range(2 * n):
        path = root / "train" / "ab"[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(path)
    return find_photos(root)


def replace_train(r, steps: int):
    """As many photos as the epoch has steps: the loop asks their number only."""
    many = (r.photos.train * (1 + steps * r.recipe.phases[0].batch // len(r.photos.train)))[
        : steps * r.recipe.phases[0].batch
    ]
    return replace(r, photos=replace(r.photos, train=many))


def ours(r) -> None:
    loop.train_epoch(r, StopRequest())
    r.position.next_epoch()


def bare(r, batches, *, ema: Ema | None, norm: bool) -> None:
    normalise = normaliser(r.preprocess, r.device, r.recipe.memory_format)
    r.net.train()
    for batch in batches:
        loss = F.cross_entropy(r.net(normalise(batch.images)), batch.labels, label_smoothing=0.1)
        loss.backward()
        if norm:
            torch.nn.utils.get_total_norm([p.grad for p in r.net.parameters() if p.grad is not None])
        r.optimizer.step()
        r.optimizer.zero_grad(set_to_none=True)
        if ema:
            ema.update()
        loss.item()


if __name__ == "__main__":
    sys.exit(main())
