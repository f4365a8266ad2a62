"""Two machines, as two network namespaces that a virtual cable joins: one is lost, the job goes on with the other."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from linnet.training.ingredients import Sgd
from linnet.training.log import read_log
from linnet.training.loop import run
from linnet.weights.tensors import read_tensors

HOSTS = ("10.213.7.1", "10.213.7.2")


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


@pytest.fixture
def hosts():
    """Names of two namespaces with the addresses of HOSTS."""
    if not shutil.which("ip"):
        pytest.skip("two hosts are network namespaces, and there is no `ip` here to make them")
    names = [f"linnet-{os.getpid()}-{i}" for i in range(2)]
    cables = [f"ln{os.getpid() % 10**6}{i}" for i in range(2)]
    try:
        for name in names:
            ip("netns", "add", name)
        ip("link", "add", cables[0], "netns", names[0], "type", "veth", "peer", "name", cables[1], "netns", names[1])
        for name, cable, address in zip(names, cables, HOSTS, strict=True):
            ip("-n", name, "addr", "add", f"{address}/24", "dev", cable)
            ip("-n", name, "link", "set", cable, "up")
            ip("-n", name, "link", "set", "lo", "up")
        yield list(zip(names, cables, strict=True))
    except subprocess.CalledProcessError as error:
        pytest.skip(f"two hosts are network namespaces, and this machine allows none: {error.stderr.strip()}")
    finally:
        for name in names:
            with contextlib.suppress(subprocess.CalledProcessError):
                ip("netns", "del", name)


def start(host, number: int, words: list[str], log: Path) -> subprocess.Popen[str]:
    """torchrun on one of the hosts, in a session of its own, so that all of it can be lost at once."""
    name, cable = host
    rendezvous = ["--rdzv-backend=c10d", f"--rdzv-endpoint={HOSTS[0]}:29400", "--rdzv-id=linnet"]
    rendezvous += [f"--local-addr={HOSTS[number]}"]
    # Which of them holds the meeting place is said, not guessed from the machine's name, which is the same in both.
    rendezvous += [f"--rdzv-conf=last_call_timeout=3,join_timeout=60,is_host={number == 0}".lower()]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nnodes=1:2", "--nproc-per-node=1", "--max-restarts=3"]
    with log.open("a") as said:
        return subprocess.Popen(
            ["ip", "netns", "exec", name, *torchrun, *rendezvous, *words],
            env={**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": cable},
            stdout=subprocess.DEVNULL,
            stderr=said,
            text=True,
            start_new_session=True,
        )


def lose(host) -> None:
    """Kill every process on it."""
    pids = subprocess.run(["ip", "netns", "pids", host[0]], check=True, capture_output=True, text=True).stdout.split()
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)


def until(condition, log: Path, seconds=90.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, log.read_text()[-3000:]
        time.sleep(0.02)


def steps(folder):
    log = folder / "log.jsonl"
    return log.read_bytes().count(b'"step"') if log.exists() else 0


@pytest.mark.slow
def test_a_lost_host_is_survived(hosts, tiny_recipe, tiny_photos, tmp_path, quiet):
    phases = tuple(dataclasses.replace(phase, epochs=8) for phase in tiny_recipe.phases)
    recipe = dataclasses.replace(tiny_recipe, phases=phases, optimizer=Sgd(lr=0.01), bn_group=4, save_minutes=1e-9)
    run(recipe, tiny_photos, tmp_path / "one", progress=quiet)
    recipe.save(tmp_path / "recipe.json")
    folder, log = tmp_path / "run", tmp_path / "said"
    words = [
        "-m",
        "linnet",
        "train",
        str(tiny_photos.root),
        "--recipe",
        str(tmp_path / "recipe.json"),
        "--out",
        str(folder),
    ]
    first, second = (start(host, number, words, log) for number, host in enumerate(hosts))
    try:
        until(lambda: steps(folder) > 5, log)
        lose(hosts[1])
        second.wait()
        assert first.wait(timeout=200) == 0, log.read_text()[-3000:]  # alone
    finally:
        for host in hosts:
            lose(host)
        first.wait(), second.wait()
    mine, other = (read_tensors(f / "last.ckpt", kind="checkpoint", remedy="")[0] for f in (folder, tmp_path / "one"))
    assert max((mine[name] - other[name]).abs().max().item() for name in other) < 1e-4
    assert [line["epoch"] for line in read_log(folder) if line["kind"] == "epoch"] == list(range(16))
    notes = [line["text"] for line in read_log(folder) if "processes" in line.get("text", "")]
    assert any("processes 2, now 1" in note for note in notes)
