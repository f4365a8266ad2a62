"""`linnet train --processes N`: N processes of the same command on this machine, which live and end together.

For several machines there is torchrun; it sets the same environment variables, and starts again what was lost.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..cores import available_cores
from ..errors import SettingError, TrainingError
from .result import Result
from .stop import TrainingStopped

PARENT = "LINNET_PARENT"  # says to a process that it was started here: it ends with its parent
PATIENCE = 15.0  # seconds; a process whose fellow has failed notices it by itself, as a rule; saving takes its time


def launch(processes: int, flags: Mapping[str, Any]) -> Result:
    """Train in `processes` processes of this machine; `flags` are those of `linnet train` by name.

    Raises: TrainingStopped after Ctrl-C or SIGTERM, when all is saved; TrainingError when a process ends before its time:
    then the others are ended too, and the run goes on from its last checkpoint.
    """
    if not 1 <= processes <= 1024:
        raise SettingError(f"--processes is {processes}; allowed are 1 to 1024. A GPU each, or a few cores each.")
    command = [sys.executable, "-m", "linnet", "train", *words(flags), "--json"]
    cores = available_cores()
    shared = {
        "OMP_NUM_THREADS": str(max(1, cores // processes)),
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "WORLD_SIZE": str(processes),
        "LOCAL_WORLD_SIZE": str(processes),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port()),
        PARENT: str(os.getpid()),
    }
    children = [
        subprocess.Popen(
            command,
            env={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.DEVNULL if rank else subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C in the terminal comes through us, once
        )
        for rank in range(processes)
    ]

    def pass_on(number: int, frame: object) -> None:
        for child in children:
            if child.poll() is None:
                child.send_signal(signal.SIGTERM)

    main = threading.current_thread() is threading.main_thread()  # elsewhere Python takes no handlers
    before = {each: signal.signal(each, pass_on) for each in (signal.SIGINT, signal.SIGTERM) if main}
    try:
        failed = wait(children)
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
        for child in children:
            child.kill()
            child.wait()
    assert children[0].stdout is not None
    with children[0].stdout as said:
        folder, _, result = said.read().partition("\n")
    if failed is None:
        facts = json.loads(result)
        return Result(**{**facts, "folder": Path(facts["folder"])})
    raise end_of(folder, processes, *failed)


def end_of(folder: str, processes: int, rank: int, code: int) -> TrainingError:
    """What to say of a run in `folder` ("": none yet) that ended before its time, by this exit code of that process."""
    how = f"was killed ({signal.Signals(-code).name})" if code < 0 else f"ended with exit code {code}"
    if not folder or not (Path(folder) / "last.ckpt").is_file():  # refused while it was prepared, say
        return TrainingError(
            f"No run was begun: process {rank} of {processes} {how}. What is wrong stands above, if it was said. Mend"
            " that, and run the same command again."
        )
    go_on = f"Go on with: linnet train --resume {folder} --processes {processes}"
    if code == TrainingStopped.exit_code:
        return TrainingStopped(f"All {processes} processes have stopped. {go_on}")
    return TrainingError(
        f"Process {rank} of {processes} {how}; the others were ended. What it said, if anything, stands above. {go_on}"
    )


def words(flags: Mapping[str, Any]) -> list[str]:
    """The flags as the command line takes them; `photos` comes first and bare.

    >>> words({"photos": "a", "seed": 3, "from_scratch": True, "out": None, "set": ["ema=0", "l1=1"]})
    ['a', '--seed', '3', '--from-scratch', '--set', 'ema=0', '--set', 'l1=1']
    """
    found: list[str] = []
    for name, value in flags.items():
        flag = f"--{name.replace('_', '-')}"
        if name == "photos" and value is not None:
            found = [str(value), *found]
        elif isinstance(value, list | tuple):
            found += [word for one in value for word in (flag, str(one))]
        elif value is True:
            found.append(flag)
        elif value is not None and value is not False:
            found += [flag, str(value)]
    return found


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def wait(children: Sequence[subprocess.Popen[str]]) -> tuple[int, int] | None:
    """Until all have ended well, or one has not: then which, and its code. Of the others' codes "killed" says most."""
    until = float("inf")
    while True:
        codes = [child.poll() for child in children]
        failed = [(rank, code) for rank, code in enumerate(codes) if code]
        if None not in codes or time.monotonic() > until:
            return min(failed, key=lambda one: (one[1], one[0])) if failed else None
        if any(code != TrainingStopped.exit_code for _, code in failed):
            until = min(until, time.monotonic() + PATIENCE)
        time.sleep(0.02)


def end_with_launcher() -> None:
    """Let the system end this process when the one that launched it is gone, however that came about (Linux)."""
    if PARENT in os.environ and sys.platform.startswith("linux"):
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        if os.getppid() != int(os.environ[PARENT]):  # it was gone before we asked
            os.kill(os.getpid(), signal.SIGKILL)
