"""The verb `bench`: how fast models are on this machine, all contestants taking turns."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..web.devices import DeviceTable

# Not for type checkers alone: the command line reads the signature.
from .adb import Commands
from .measured import Bench

if TYPE_CHECKING:
    from .contestant import Contestant
    from .measured import Row
    from .timing import Block, Turn


SECONDS = 10.0  # where nothing else is said
INSTEAD = {  # of measuring here: how it is called, and the flags that it takes
    "adb": ("linnet bench BUNDLE --adb", ("threads",)),
    "import": ("linnet bench --import FILE", ("out",)),
    "phone": ("linnet bench BUNDLE --phone", ("out",)),
}


def bench(
    models: tuple[str, ...] = (),
    *,
    runtime: tuple[str, ...] = (),
    image: tuple[int, ...] = (),
    batch: int = 1,
    threads: int = 0,
    cores: tuple[int, ...] = (),
    seconds: float = SECONDS,
    throughput: bool = False,
    out: Path | None = None,
    plot: Path | None = None,
    adb: bool = False,
    import_: Path | None = None,
    phone: bool = False,
) -> Bench | Commands | DeviceTable:
    """Measure how fast models are here, all in turns, and say which cannot be told apart.

    Args:
        models: Bundles (their folders, or runs that have one), or networks by name, which get drawn weights.
        runtime: What to run them with: onnx, openvino-bf16, ..., or pytorch itself; by default all that are installed.
        image: Side in pixels, or several, for networks by name; by default each one's own.
        batch: Images in a call.
        threads: Threads to compute with; 0 means one per core.
        cores: Keep to these cores, by number (Linux).
        seconds: How long each is measured.
        throughput: Also run several calls side by side, and compare by images per second instead of latency.
        out: A new file for the result as JSON.
        plot: A new .svg file for accuracy against latency, of bundles.
        adb: Measure nothing; print the commands that measure a bundle's LiteRT and ExecuTorch files on a phone.
        import_: Measure nothing; read what these commands wrote.
        phone: Measure a bundle on phones instead, in their browsers, as `linnet phone` does.
    """
    from dataclasses import replace

    from ...errors import SettingError
    from ...files import write_json, write_text
    from ..bundle import read_bundle
    from ..predict import bundle_in
    from ..web.phone import phone as measure_phones
    from .adb import adb_commands, read_output
    from .contestant import line_up
    from .pareto import pareto_svg

    given = [str(models)] if isinstance(models, str | Path) else [str(model) for model in models]
    if batch < 1 or threads < 0 or not 0 < seconds < 86400:
        raise SettingError(
            f"batch is {batch}, threads {threads}, seconds {seconds}; allowed are 1 or more, 0 or more, above 0."
        )
    for path in (out, plot):
        if path is not None and os.path.lexists(path):
            raise SettingError(f"{path}: is there already, and nothing is overwritten. Give another name.")
    instead = [name for name, value in {"adb": adb, "import": import_, "phone": phone}.items() if value]
    if instead:
        flags = {
            "runtime": runtime, "image": image, "batch": batch > 1, "threads": threads, "cores": cores,
            "seconds": seconds != SECONDS, "throughput": throughput, "out": out, "plot": plot,
        }  # fmt: skip
        demand_alone(instead, [name for name, value in flags.items() if value], given)
    if adb:
        return adb_commands(read_bundle(bundle_in(Path(given[0]))), threads=threads)
    if phone:
        return measure_phones(Path(given[0]), out=out)
    if import_:
        found = read_output(import_)
        if out:
            write_json(out, found.to_json())
        return found
    with on_cores(cores):
        field = line_up(given, runtime, image)
        if plot and not any(one.accuracy is not None for one in field.contestants):
            raise SettingError("--plot draws accuracy against latency, and networks by name have none. Give bundles.")
        found = measure(
            field.contestants, batch=batch, threads=threads, seconds=seconds, throughput=throughput, notes=field.notes
        )
    points = found.points() if plot else []
    if plot and not points:  # those with an accuracy could not be measured
        nothing = f"{plot} is not drawn: nothing that was measured has an accuracy."
        found = replace(found, notes=(*found.notes, nothing))
    if out:
        write_json(out, found.to_json())
    if plot and points:
        write_text(plot, pareto_svg(points, found.where))
    return found


def demand_alone(instead: Sequence[str], flags: Sequence[str], models: Sequence[str]) -> None:
    """Raises: SettingError where what is done `instead` of measuring here does not go with these flags and models."""
    from ...errors import SettingError

    first, *others = instead
    usage, own = INSTEAD[first]
    if wrong := next((name for name in (*others, *flags) if name not in own), ""):
        takes = " and ".join(f"--{name}" for name in own)
        raise SettingError(
            f"--{wrong} has no meaning with --{first}, which takes {takes} alone. Leave one of them out."
        )
    if len(models) != (0 if first == "import" else 1):
        raise SettingError(f"--{first} is for one {'file' if first == 'import' else 'bundle'}: {usage}")


def measure(
    contestants: Sequence[Contestant],
    *,
    batch: int = 1,
    threads: int = 0,
    seconds: float = 10.0,
    throughput: bool = False,
    memory: bool = True,
    notes: Sequence[str] = (),
) -> Bench:
    """`bench` for contestants at hand. One that cannot be loaded is left out, and a note says why.

    Raises: SettingError when none is left.
    """
    from datetime import UTC, datetime

    from ...cores import available_cores
    from ...errors import LinnetError, SettingError
    from ...evaluation.progress import shown_progress
    from ..certificate import machine, versions
    from .figures import all_pairs, drift, drift_note, value
    from .timing import ROUNDS, take_turns, warm_up

    threads = threads or available_cores()
    load = round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
    said = list(notes)
    turns: dict[str, Turn] = {}
    entered: dict[str, tuple[Contestant, int]] = {}
    names = short_names(contestants)
    with ExitStack() as pools:
        for one, name in zip(contestants, names, strict=True):
            for streams in stream_counts(threads) if throughput else (1,):
                full = f"{name}, {streams} x {threads // streams} threads" if throughput else name
                try:
                    turns[full] = turn_of(one, batch, streams, threads // streams, throughput, pools)
                    entered[full] = one, streams
                except LinnetError as error:
                    said.append(f"{name}: {error}")
        if not turns:
            raise SettingError(" ".join(said))
        warm = {}
        with shown_progress(len(turns), "warming up") as progress:
            for name, turn in turns.items():
                warm[name] = warm_up(turn, seconds / ROUNDS)
                if progress:
                    progress(1)
        with shown_progress(ROUNDS, "measuring") as progress:
            found = take_turns(turns, seconds, progress=progress)
        del turns
    rows = [
        row_of(
            name,
            *entered[name],
            found[name],
            per_image=value(found[name]) / (1 if throughput else batch),
            batch=batch,
            threads=threads,
            warm=warm[name],
            memory=memory,
        )
        for name in sorted(found, key=lambda name: value(found[name]))
    ]
    changed = drift(found)
    said += [note] if (note := drift_note(changed)) else []
    here = machine()
    cores = here["cores_usable"]
    where = (
        f"batch {batch}, {threads} thread{'s' * (threads > 1)}, {cores} core{'s' * (cores > 1)} of {here['processor']}"
    )
    facts = {
        "batch": batch, "threads": threads, "seconds": seconds, "rounds": len(next(iter(found.values()))), "load": load,
        "machine": here, "versions": versions(), "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }  # fmt: skip
    mode = "throughput" if throughput else "latency"
    return Bench(mode, tuple(rows), all_pairs(found), round(changed, 4), where, facts, tuple(dict.fromkeys(said)))


def turn_of(one: Contestant, batch: int, streams: int, threads: int, throughput: bool, pools: ExitStack) -> Turn:
    """Loads the model, once for each stream."""
    from concurrent.futures import ThreadPoolExecutor
    from functools import partial

    from .timing import one_at_a_time, side_by_side

    if not throughput:
        return partial(one_at_a_time, one.call(batch, threads))
    calls = [one.call(batch, threads) for _ in range(streams)]
    pool = pools.enter_context(ThreadPoolExecutor(streams))
    return partial(side_by_side, calls, batch, threads=pool)


def stream_counts(threads: int) -> tuple[int, ...]:
    """1, 2, 4, ... and as many as there are threads.

    >>> stream_counts(2), stream_counts(12)
    ((1, 2), (1, 2, 4, 12))
    """
    halves = [n for n in (1, 2, 4, 8, 16, 32, 64) if threads % n == 0]
    return tuple(dict.fromkeys([*halves, threads]))


def row_of(
    name: str,
    one: Contestant,
    streams: int,
    blocks: Sequence[Block],
    *,
    per_image: float,
    batch: int,
    threads: int,
    warm: int,
    memory: bool,
) -> Row:
    from .figures import percentiles
    from .measured import Row
    from .peak import peak_memory

    peak = peak_memory(one.runtime, one.precision, one.files, one.images(batch), threads=threads) if memory else None
    return Row(
        name=name, model=one.model, way=one.way, image=one.image, batch=batch, streams=streams, threads=threads // streams,
        images_per_second=round(1 / per_image, 2), calls=sum(len(block.calls) for block in blocks), warm_up=warm,
        size_bytes=one.size_bytes, peak_bytes=peak and peak.peak_bytes, before_bytes=peak and peak.before_bytes,
        accuracy=one.accuracy, interval=one.interval, **percentiles(blocks),
    )  # fmt: skip


def short_names(contestants: Sequence[Contestant]) -> list[str]:
    """What tells them apart: the way, and where there are several the model and the size; equals are numbered."""
    several = len({one.model for one in contestants}) > 1
    sized = len({one.image for one in contestants}) > 1
    plain = [
        " ".join([*([one.model] if several else []), *([f"{one.image} px"] if sized else []), one.way])
        for one in contestants
    ]
    seen: dict[str, int] = {}
    found = []
    for name in plain:
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return found


@contextmanager
def on_cores(cores: Sequence[int]) -> Iterator[None]:
    """Keep this process, and the threads and processes that it starts, to these cores while the block lasts.

    Raises: SettingError where the system cannot, or for a core that we may not use.
    """
    from ...errors import SettingError

    if not cores:
        yield
        return
    if not hasattr(os, "sched_setaffinity"):
        raise SettingError("--cores needs Linux. Leave it out; --threads says how many threads compute.")
    before = os.sched_getaffinity(0)
    if wrong := set(cores) - before:
        raise SettingError(
            f"Core {min(wrong)} is not among those that this process may use: {', '.join(map(str, sorted(before)))}."
        )
    os.sched_setaffinity(0, set(cores))
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
