"""A network and photos so small that a whole training takes a second."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from linnet.arch.efficientnet import MBConv
from linnet.arch.spec import Arch, Classifier, Conv, Dropout, Pool, Stage, Style
from linnet.data.source import find_photos
from linnet.training.checkpoint import hash_checkpoint
from linnet.training.ingredients import AdamW, Cosine
from linnet.training.launch import free_port
from linnet.training.log import read_log
from linnet.training.loop import run
from linnet.training.progress import Progress
from linnet.training.recipe import Phase, Recipe
from linnet.weights.model import read_model
from linnet.weights.tensors import hash_tensors


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Networks this small run no faster on more, and much slower on a machine that is busy with other tests."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tiny_arch():
    return Arch(
        "tiny",
        image=32,
        style=Style(act="silu"),
        stem=(Stage(Conv(k=3), 8, 1, 2),),
        stages=(Stage(MBConv(t=2, k=3, se=0.25), 8, 2, 1), Stage(MBConv(t=2, k=3, se=0.25), 16, 2, 2)),
        head=(Conv(32, k=1), Pool(), Dropout(), Classifier()),
    )


@pytest.fixture(scope="session")
def tiny_recipe(tiny_arch):
    """Two phases with everything random switched on: crops, RandAugment, mixing, erasing, dropout, drop path."""
    busy = {
        "batch": 8,
        "randaugment": 5.0,
        "mixup": 0.2,
        "cutmix": 0.5,
        "erasing": 0.2,
        "dropout": 0.2,
        "drop_path": 0.2,
    }
    return Recipe(
        arch=tiny_arch.to_json(),
        phases=(Phase(epochs=1, image=24, **busy), Phase(epochs=2, image=32, **busy)),
        optimizer=AdamW(lr=3e-3),
        schedule=Cosine(warmup=0.5),
        ema=0.9,
        precision="fp32",
        memory_format="channels_last",
        workers=0,
        threads=1,
        eval_batch=16,
    )


@pytest.fixture(scope="session")
def tiny_photos(tmp_path_factory):
    """48 photos to train on (six steps of eight) and 12 to validate on: one of three colours under noise, 40 pixels."""
    root, rng = tmp_path_factory.mktemp("tiny") / "photos", np.random.default_rng(0)
    for split, n in (("train", 48), ("validation", 12)):
        for i in range(n):
            pixels = rng.integers(0, 120, (40, 40, 3), dtype=np.uint8)
            pixels[..., i % 3] += 90
            path = root / split / ("red", "green", "blue")[i % 3] / f"{i:03}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
    return find_photos(root)


@pytest.fixture
def quiet():
    return Progress(quiet=True)


@pytest.fixture(scope="session")
def finished(tiny_recipe, tiny_photos, tmp_path_factory):
    """The folder of a run that nothing disturbed: what every disturbed one has to equal."""
    folder = tmp_path_factory.mktemp("finished")
    run(tiny_recipe, tiny_photos, folder, progress=Progress(quiet=True))
    return folder


@pytest.fixture(scope="session")
def outcome():
    """A function: folder of a run -> all that must be equal bit for bit, and the log without times."""

    def of(folder):
        times = ("time", "images_per_second", "seconds", "validation_seconds")
        log = [{k: v for k, v in line.items() if k not in times} for line in read_log(folder)]
        return {**hash_checkpoint(folder / "last.ckpt"), "best": hash_tensors(read_model(folder).state), "log": log}

    return of


@pytest.fixture(scope="session")
def together(tmp_path_factory):
    """A function: jobs of processes.py, done by `world` processes together -> what each of them printed, line by line."""

    def do(jobs, world=2):
        listed = tmp_path_factory.mktemp("jobs") / "jobs.json"
        listed.write_text(json.dumps(jobs))
        shared = {"WORLD_SIZE": str(world), "LOCAL_WORLD_SIZE": str(world), "MASTER_ADDR": "127.0.0.1"}
        shared |= {"MASTER_PORT": str(free_port()), "OMP_NUM_THREADS": "1", "PYTHONPATH": os.getcwd()}
        children = [
            subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("processes.py")), str(listed)],
                env={**os.environ, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
                stdout=subprocess.PIPE,
                text=True,
            )
            for rank in range(world)
        ]
        try:
            said = [child.communicate(timeout=120)[0].splitlines() for child in children]
        finally:
            for child in children:
                child.kill()
                child.wait()
        assert [child.returncode for child in children] == [0] * world, said
        return said

    return do
