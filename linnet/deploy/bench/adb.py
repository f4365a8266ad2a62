"""On a phone over a cable: the commands that run LiteRT's and ExecuTorch's own benchmark programs, and what these print.

Source: LiteRT's benchmark_model (ai.google.dev/edge/litert/models/measurement), ExecuTorch's executor_runner and its
devtools/scripts/benchmark_android.sh.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from shlex import quote
from typing import Any

import numpy as np

from ...errors import FileError, SettingError
from ..bundle import Bundle
from ..runtime.known import way
from .figures import PERCENTILES
from .measured import Bench, Row

PLACE = "/data/local/tmp/linnet"
THREADS, RUNS, WARM = 4, 200, 20
LARGEST = 2**26  # bytes of a file to read back
PHONE = (
    "adb shell 'echo linnet: phone $(getprop ro.product.manufacturer) $(getprop ro.product.model),"
    " Android $(getprop ro.build.version.release), $(getprop ro.soc.model)'"
)
LITERT = (
    "# LiteRT's program, once: curl -Lo benchmark_model https://storage.googleapis.com/tensorflow-nightly-public/prod/"
    "tensorflow/release/lite/tools/nightly/latest/android_aarch64_benchmark_model",
    "adb shell mkdir -p {place}",
    "adb push benchmark_model {place}/",
    "adb push {file} {place}/{model}",
    "adb shell chmod +x {place}/benchmark_model",
    "{phone} > {out}",
    "echo linnet: model {name} way {way} threads {threads} >> {out}",
    "adb shell {place}/benchmark_model --graph={place}/{model} --num_threads={threads} --warmup_runs={warm}"
    " --num_runs={runs} --use_xnnpack=true >> {out} 2>&1",
)
EXECUTORCH = (
    "# ExecuTorch's program, once, in a checkout of it: devtools/scripts/benchmark_android.sh builds"
    " cmake-out-android-benchmark/executor_runner",
    "adb shell mkdir -p {place}",
    "adb push executor_runner {place}/",
    "adb push {file} {place}/{model}",
    "adb shell chmod +x {place}/executor_runner",
    "{phone} > {out}",
    "echo linnet: model {name} way {way} threads {threads} >> {out}",
    "adb logcat -c",
    "adb shell {place}/executor_runner --model_path={place}/{model} --cpu_threads={threads} --num_executions={runs}"
    " --print_output=none >> {out} 2>&1",
    "adb logcat -d -s ExecuTorch:I >> {out}  # there it says its times",
)
PROGRAMS = {"litert": LITERT, "executorch": EXECUTORCH}


@dataclass(frozen=True)
class Commands:
    """Lines for a shell, in order."""

    lines: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join(self.lines)

    def to_json(self) -> list[str]:
        return list(self.lines)


def adb_commands(bundle: Bundle, *, threads: int = 0) -> Commands:
    """What measures a bundle's LiteRT and ExecuTorch files on the phone that is connected, and reads the result.

    Raises: SettingError for a bundle that has neither.
    """
    lines: list[str] = []
    for one in bundle.runtimes:
        if one.runtime in PROGRAMS:
            name = way(one.runtime, one.precision)
            out = f"phone-{name}.txt"
            said = {
                "place": PLACE, "file": bundle.folder / one.file, "name": bundle.name, "way": name, "out": out,
                "model": f"{bundle.name}-{name}{PurePosixPath(one.file).suffix}", "threads": threads or THREADS,
                "runs": RUNS, "warm": WARM, "phone": PHONE,
            }  # fmt: skip
            quoted = {key: value if key == "phone" else quote(str(value)) for key, value in said.items()}
            lines += [line.format(**quoted) for line in PROGRAMS[one.runtime]]
            lines += [f"linnet bench --import {quote(out)}", ""]
    if not lines:
        raise SettingError(
            f"{bundle.folder}: has no file for a phone's runtime. Make one: linnet export RUN --to litert executorch"
        )
    return Commands(tuple(lines[:-1]))


@dataclass
class Heard:
    """What the lines so far have said of the run that is under way."""

    phone: str = ""
    model: str = ""
    way: str = ""
    threads: int | None = None
    size_bytes: int | None = None
    spread: dict[str, float] = field(default_factory=dict)  # of the last "count=... avg=..." line, microseconds
    iterations: list[float] = field(default_factory=list)  # milliseconds


NUMBER = r"([0-9.]+(?:e[+-]?\d+)?)"
OURS = re.compile(r"linnet: model (\S+) way (\S+) threads (\d+)")
SPREAD = re.compile(rf"\b(count|min|max|avg|std|p5|median|p95)={NUMBER}")
TIMINGS = re.compile(rf"Inference timings in us: .*Inference \(avg\): {NUMBER}")
ITERATION = re.compile(rf"Iteration (\d+) of \d+: {NUMBER} ms")
EXECUTED = re.compile(rf"Model executed successfully (\d+) time\(s\) in {NUMBER} ms")
MEMORY = re.compile(rf"emory footprint (?:delta from the start of the tool )?\(MB\): init={NUMBER} overall={NUMBER}")


def read_output(path: str | Path) -> Bench:
    """The runs in a file that one of the two programs has written, with or without the marks of logcat.

    Raises: FileError for a file that cannot be read, SettingError for one that holds no such run.
    """
    path = Path(path)
    try:
        with open(path, "rb") as file:
            text = file.read(LARGEST).decode("utf-8", "replace")
    except OSError as error:
        raise FileError(f"{path}: cannot be read ({error.strerror}). Give the file that the program wrote.") from None
    phone, rows, notes = rows_in(text.splitlines())
    if not rows:
        failed = " It says that the benchmark failed." if "enchmarking failed" in text else ""
        raise SettingError(
            f"{path}: holds no result of LiteRT's benchmark_model or ExecuTorch's executor_runner.{failed} The commands"
            " that make one: linnet bench BUNDLE --adb"
        )
    rows.sort(key=lambda row: row.median_ms)
    where = phone or "a phone that the file does not name"
    return Bench("imported", tuple(rows), (), None, where, {"phone": phone, "source": path.name}, tuple(notes))


def rows_in(lines: Iterable[str]) -> tuple[str, list[Row], list[str]]:
    """The phone, one row for each run, and what is to be known of their figures."""
    heard, rows, notes = Heard(), list[Row](), dict[str, None]()
    for line in lines:
        listen(line, heard)
        if found := TIMINGS.search(line):
            rows.append(litert_row(heard, float(found[1])))
            if "median" not in heard.spread:
                notes["This benchmark_model gives no median, so the mean stands in its place."] = None
            heard.spread = {}
        elif (found := EXECUTED.search(line)) and int(found[1]) > 0:
            rows.append(executorch_row(heard, int(found[1]), float(found[2])))
            if not heard.iterations:
                notes["This executor_runner gives no single times, so the mean stands in place of the median."] = None
            heard.iterations = []
        elif (found := MEMORY.search(line)) and rows and rows[-1].peak_bytes is None:
            rows[-1] = replace(rows[-1], peak_bytes=round(float(found[2]) * 2**20))
            notes["Memory is what benchmark_model grew by."] = None
    return heard.phone, numbered(rows), list(notes)


def numbered(rows: list[Row]) -> list[Row]:
    """Runs of the same model are told apart by a number."""
    seen: dict[str, int] = {}
    found = []
    for one in rows:
        seen[one.name] = seen.get(one.name, 0) + 1
        found.append(one if seen[one.name] == 1 else replace(one, name=f"{one.name} ({seen[one.name]})"))
    return found


def listen(line: str, heard: Heard) -> None:
    """Keep what a line says of the run to come."""
    if "linnet: phone " in line:
        heard.phone = " ".join(line.partition("linnet: phone ")[2].split()).strip(" ,")[:120]
    elif found := OURS.search(line):
        heard.model, heard.way, heard.threads = found[1], found[2], int(found[3])
    elif found := re.search(r"(?:Graph: \[|Model file )(\S+?)(?:\]| is loaded)", line):
        heard.model = heard.model or PurePosixPath(found[1]).stem
    elif found := re.search(r"(?:Num threads: \[|num threads = )(\d+)", line):
        heard.threads = int(found[1])
    elif found := re.search(rf"input model file size \(MB\): {NUMBER}", line):
        heard.size_bytes = round(float(found[1]) * 1e6)
    elif found := ITERATION.search(line):
        if int(found[1]) == 1:
            heard.iterations = []
        heard.iterations.append(float(found[2]))
    elif "count=" in line:
        heard.spread = {name: float(value) for name, value in SPREAD.findall(line)}


def litert_row(heard: Heard, average: float) -> Row:
    said = heard.spread
    median = said.get("median", average) / 1000
    return row(heard, "litert", median, int(said.get("count", 1)))


def executorch_row(heard: Heard, times: int, total: float) -> Row:
    """Of its single times, the first tenth being warm-up; of their sum where it says no more."""
    warm = heard.iterations[max(1, len(heard.iterations) // 10) :]
    if not warm:
        return row(heard, "executorch", total / times, times)
    spread: dict[str, Any] = {name: round(float(np.percentile(warm, q)), 4) for name, q in PERCENTILES.items()}
    return replace(row(heard, "executorch", statistics.median(warm), len(warm)), **spread)


def row(heard: Heard, runtime: str, median: float, calls: int) -> Row:
    model = heard.model or "model"
    said = heard.way or runtime
    found = Row(
        name=f"{model} {said}", model=model, way=said, image=None, batch=1, streams=1,
        threads=heard.threads, median_ms=round(median, 4), p10_ms=None, p90_ms=None, p99_ms=None,
        images_per_second=round(1000 / median, 2) if median else 0.0, calls=calls, size_bytes=heard.size_bytes,
    )  # fmt: skip
    heard.model, heard.way, heard.size_bytes = "", "", None
    return found
