"""Kill -9 at random steps, resume, compare: SHA-256 of weights, average and optimiser against an uninterrupted run.

    python benchmarks/resume.py            20 kills, with 0, 2 and 3 loader workers and 1 and 2 processes in turn
    python benchmarks/resume.py --kills 1  a look

Draws its own photos, needs no network. Each kill shoots a run of its own at a random moment after the first step (in a
step, in a checkpoint's writing, in validation), and `linnet train --resume` finishes it. Prints a Markdown table and
fails when a hash differs. A checkpoint is written every 0.3 seconds, so most kills lose some steps. Then a process that
does nothing but save is shot 100 times (--saves): `last.ckpt` has to be whole after each.

The first phase trains the classifier alone, the second all but the first two rows, the third everything, so kills fall into
phases with frozen rows too. Runs in two processes (`--processes 2`, one of them is shot, either) are held against an
uninterrupted run in two processes. That one is held against the run in one by its losses: within 1e-5 in the first phase. Later
this training (8 photos to a BatchNorm over maps of one pixel) makes much of rounding, whatever its cause; so a third run, in one
process but the other memory layout, shows what rounding alone does.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from linnet.arch.names import find
from linnet.training.checkpoint import hash_checkpoint, remove_stale
from linnet.training.environment import describe
from linnet.training.ingredients import Cosine, Sgd
from linnet.training.log import read_log
from linnet.training.progressive import progressive
from linnet.training.recipe import Recipe
from linnet.weights.tensors import read_tensors, write_tensors

ARCH = "mobilenetv3_small_050"
WORKERS, PROCESSES = (0, 2, 3), (1, 2)
CHILD = """
import sys
from pathlib import Path
import torch  # before the clock of the kill starts
from linnet.training.train import train
if __name__ == "__main__":
    photos, recipe, folder, processes, resume = sys.argv[1:]
    several = {} if processes == "1" else {"processes": int(processes)}
    if resume == "resume":
        train(Path(photos), resume=Path(folder), **several)
    else:
        train(Path(photos), recipe=Path(recipe), out=Path(folder), **several)
"""


def draw_photos(root: Path) -> None:
    rng = np.random.default_rng(0)
    for split, n in (("train", 160), ("validation", 40)):
        for i in range(n):
            pixels = rng.integers(0, 150, (48, 48, 3), dtype=np.uint8)
            pixels[..., i % 3] += 90
            path = root / split / "abc"[i % 3] / f"{i:03}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)


def recipe_with(workers: int) -> Recipe:
    return Recipe(
        arch=ARCH,
        phases=tuple(
            replace(phase, freeze=freeze)
            for phase, freeze in zip(
                progressive(3, stages=3, image=(32, 48), randaugment=(5, 10), mixup=(0.1, 0.2), cutmix=(0.5, 0.5),
                            drop_path=(0.1, 0.1), batch=16),
                (find(ARCH).classifier_row, 2, 0), strict=True,
            )
        ),
        optimizer=Sgd(lr=0.002),  # AdamW makes steps of what is rounding alone, see docs/guides/many-processes.md
        bn_group=8,
        schedule=Cosine(warmup=0.5),
        ema=0.99,
        precision="fp32",
        memory_format="channels_last",
        workers=workers,
        threads=1,
        save_minutes=0.005,
    )  # fmt: skip


def command(here: Path, name: str, workers: int, processes: int, *, resume: bool = False) -> list[str]:
    recipe = here / f"recipe-{workers}.json"
    recipe_with(workers).save(recipe)
    child = here / "child.py"
    child.write_text(CHILD)
    return [sys.executable, str(child), str(here / "photos"), str(recipe), str(here / name), str(processes),
            "resume" * resume]  # fmt: skip


def steps_logged(folder: Path) -> int:
    log = folder / "log.jsonl"
    return log.read_bytes().count(b'"kind": "step"') if log.exists() else 0


def row(*cells: object) -> None:
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def kill_while_saving(n: int, rng: random.Random, folder: Path) -> int:
    """How many of `n` kills left a last.ckpt that reads back with its hash, and no temporary file after a start."""
    folder.mkdir()
    torch.set_num_threads(1)
    tensors, good = {"a": torch.zeros(4_000_000), "b": torch.zeros(1000)}, 0
    write_tensors(folder / "last.ckpt", tensors, {"number": 0}, kind="checkpoint")
    for _ in range(n):
        child = os.fork()  # torch is loaded, so the kill falls into the saving and not into an import
        if child == 0:
            for number in range(1_000_000):
                tensors["a"].add_(1)
                write_tensors(folder / "last.ckpt", tensors, {"number": number}, kind="checkpoint")
        time.sleep(0.02 + 0.2 * rng.random())
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        remove_stale(folder)
        read_tensors(folder / "last.ckpt", kind="checkpoint", remedy="")
        good += os.listdir(folder) == ["last.ckpt"]
    return good


def without_times(folder: Path) -> list[dict[str, object]]:
    times = ("time", "images_per_second", "seconds", "validation_seconds")
    return [{k: v for k, v in line.items() if k not in times} for line in read_log(folder)]


def shoot(child: subprocess.Popen[bytes], processes: int, rng: random.Random) -> bool:
    """Kill the run, or one of its processes: then the others end by themselves. Whether it was still running."""
    victim = child.pid
    if processes > 1:
        children = Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text().split()
        victim = int(rng.choice(children)) if children else victim
    os.kill(victim, signal.SIGKILL)
    return child.wait() != 0


def apart(one: Path, other: Path) -> list[float]:
    """How much the losses of two runs differ, step by step."""
    losses = [[line["loss"] for line in read_log(folder) if line["kind"] == "step"] for folder in (one, other)]
    return [abs(a - b) for a, b in zip(*losses, strict=True)]


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--kills", type=int, default=20)
    options.add_argument("--saves", type=int, default=100)
    options.add_argument("--seed", type=int, default=0)
    given = options.parse_args()
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": environment}
    rng, failed = random.Random(given.seed), 0
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        draw_photos(here / "photos")
        row("run", "processes", "workers", "killed after", "weights", "average", "optimiser", "log", "equal")
        row(*["---"] * 9)
        expected, logs, began = {}, {}, time.monotonic()
        for processes in PROCESSES:
            folder = here / f"whole-{processes}"
            subprocess.run(command(here, folder.name, 0, processes), check=True, **quiet)
            expected[processes], logs[processes] = hash_checkpoint(folder / "last.ckpt"), without_times(folder)
            row("whole", processes, 0, "never", *(sha[:12] for sha in expected[processes].values()),
                f"{steps_logged(folder)} steps", "")  # fmt: skip
        seconds, steps = time.monotonic() - began, steps_logged(here / "whole-1")
        for kill in range(given.kills):
            name, workers, processes = f"killed-{kill}", WORKERS[kill % 3], PROCESSES[kill // 3 % 2]
            child = subprocess.Popen(command(here, name, workers, processes), **quiet)
            at = rng.randint(1, steps - 1)
            while child.poll() is None and steps_logged(here / name) < at:
                time.sleep(0.001)
            time.sleep(rng.random() * 0.1)  # somewhere between two steps, in a checkpoint or in validation
            shot = shoot(child, processes, rng)
            lost = steps_logged(here / name)
            subprocess.run(command(here, name, workers, processes, resume=True), check=True, **quiet)
            found = hash_checkpoint(here / name / "last.ckpt")
            same_log = without_times(here / name) == logs[processes]
            equal = found == expected[processes] and same_log and shot
            failed += not equal
            row(f"kill {kill + 1}", processes, workers, f"step {lost} of {steps}", *(sha[:12] for sha in found.values()),
                "same" if same_log else "DIFFERS", "yes" if equal else "NO")  # fmt: skip
        other = command(here, "other-layout", 0, 1)
        replace(recipe_with(0), memory_format="contiguous").save(here / "recipe-0.json")
        subprocess.run(other, check=True, **quiet)
        distances = {name: apart(here / "whole-1", here / name) for name in ("whole-2", "other-layout")}
        whole = kill_while_saving(given.saves, rng, here / "saves")
    now = describe(torch.device("cpu"))
    print(
        f"\n{given.kills - failed} of {given.kills} equal the uninterrupted run (both of those took {seconds:.0f} s)."
    )
    for name, differences in distances.items():
        phases = [f"{max(differences[at : at + steps // 3]):.0e}" for at in range(0, steps, steps // 3)]
        print(f"Losses of {name} against whole-1, largest difference in each phase: {', '.join(phases)}.")
    print(f"{whole} of {given.saves} checkpoints whole after a kill in the middle of saving.")
    print(f"{date.today()}, {now['processor']}, {now['cores']} cores, torch {now['packages']['torch']}.")
    return failed + (whole < given.saves) + (max(distances["whole-2"][: steps // 3]) > 1e-5)


if __name__ == "__main__":
    sys.exit(main())
