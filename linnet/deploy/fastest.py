"""`export --to auto`: every way to run a model that this machine has, measured in turns; the best of each kind is marked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import SettingError
from .bench.bench import measure
from .bench.contestant import Contestant, accuracy_of
from .bench.figures import drift_note, spread
from .bench.measured import Bench, columns, megabytes, ms
from .bundle import Runtime
from .runtime.known import WAYS, is_here, way

AUTO = "auto"
SECONDS = 3.0  # for each way
EXACT = ("fp32", "fp16", "bf16", "int8")  # of ways equally fast the most exact is taken
FOR = ("latency", "memory", "size")  # what a way can be the best for


def every_way(*, int8: bool) -> tuple[str, ...]:
    """All ways for which this machine has what makes and what runs them; those in int8 only if there is what it takes.

    Not one whose file is a program: that is made only where it is named.
    """
    return tuple(
        name
        for name, (known, precision) in WAYS.items()
        if not known.program and is_here(known.module) and is_here(known.maker_of(precision))
        if int8 or precision != "int8"
    )


@dataclass(frozen=True)
class Ranking:
    """`order` is of the runtimes as they were given, the default first; `default` says what is the best for what."""

    order: tuple[int, ...]
    default: dict[str, str]
    latency: tuple[dict[str, Any], ...]  # for each runtime as given: what its certificate is to say


def rank(
    runtimes: Sequence[Runtime],
    certificates: Sequence[Mapping[str, Any]],
    place: Path,
    *,
    threads: int,
) -> Ranking:
    """Measure runtimes that passed their proofs, whose files lie in `place`, all in turns.

    One that cannot be opened beside the others has its proof all the same: it comes last, and its certificate says why.
    """
    contestants = [contestant(one, said, place) for one, said in zip(runtimes, certificates, strict=True)]
    try:
        bench = measure(contestants, threads=threads, seconds=SECONDS, memory=False)
    except SettingError as error:  # none of them can be opened
        bench = Bench("latency", (), (), None, "", {}, (str(error),))
    return ranked(bench, runtimes, certificates)


def contestant(runtime: Runtime, certificate: Mapping[str, Any], place: Path) -> Contestant:
    files = tuple((place / file).read_bytes() for file in (runtime.file, *runtime.more))
    image = certificate["latency"]["image"]
    accuracy, interval = accuracy_of(dict(certificate))
    name = way(runtime.runtime, runtime.precision)
    return Contestant(
        "", name, image, runtime.runtime, runtime.precision, files, sum(map(len, files)), runtime.input == "uint8",
        accuracy, interval,
    )  # fmt: skip


def ranked(bench: Bench, runtimes: Sequence[Runtime], certificates: Sequence[Mapping[str, Any]]) -> Ranking:
    """What a bench of these runtimes, called by their ways, means for their bundle.

    The fastest is the most exact of those that no other is surely faster than.
    """
    ways = [way(one.runtime, one.precision) for one in runtimes]
    rows = {row.way: row for row in bench.rows}
    # An int8 whose drop is not decided may have lost more than it seems: it is no default where there is another.
    sure = {name: said.get("decided", True) for name, said in zip(ways, certificates, strict=True)}
    able = [row for row in bench.rows if sure[row.way]] or list(bench.rows)
    names = {row.name for row in able}
    beaten = {pair.slower for pair in bench.pairs if pair.told_apart and pair.faster in names}
    level = [row.way for row in able if row.name not in beaten] or [
        row.way for row in able[:1]
    ]  # or: they beat in a ring
    first = min(level, key=lambda name: EXACT.index(WAYS[name][1]), default=None)
    took = [rows[name].median_ms if name in rows else math.inf for name in ways]
    order = sorted(range(len(ways)), key=lambda i: (ways[i] != first, took[i]))
    size = {name: said["size_bytes"] for name, said in zip(ways, certificates, strict=True)}
    memory = {
        name: said["memory"]["peak_bytes"] for name, said in zip(ways, certificates, strict=True) if "memory" in said
    }
    speed = [ways[i] for i in order]  # of equals the faster
    default = {"size": min(speed, key=lambda name: size[name])} | ({"latency": first} if first else {})
    if len(memory) == len(ways):
        default["memory"] = min(speed, key=lambda name: memory[name])
    latency = []
    for name, said in zip(ways, certificates, strict=True):
        if name not in rows:
            latency.append({**said["latency"], "not_in_turns": why_not(bench, name)})
            continue
        row, pair = rows[name], bench.pair(bench.rows[0].name, rows[name].name)
        found = {key: getattr(row, key) for key in ("p10_ms", "median_ms", "p90_ms", "p99_ms", "calls")}
        turns: dict[str, Any] = {"rounds": bench.facts["rounds"], "drift": bench.drift, "ratio": 1.0}
        if pair is not None:
            ratio, low, high = pair.times(row.name)
            turns |= {"ratio": round(ratio, 3), "interval": [round(low, 3), round(high, 3)]}
        latency.append({**said["latency"], **found, "in_turns": turns})
    return Ranking(tuple(order), {what: default[what] for what in FOR if what in default}, tuple(latency))


def why_not(bench: Bench, name: str) -> str:
    """What a bench said of a way that it has no row of."""
    own = [note.removeprefix(f"{name}: ") for note in bench.notes if note.startswith(f"{name}: ")]
    return " ".join(own or bench.notes)


def ways_table(facts: Mapping[str, Any]) -> list[str]:
    """What bundle.json says of its ways, as lines, the default first; nothing where they were not measured in turns."""
    default = facts.get("default")
    if not default:
        return []
    rows = []
    for said in facts["certificates"]:
        name = way(said["runtime"], said["precision"])
        latency, drop = said["latency"], said["drop"]
        accuracy, _ = accuracy_of(said)
        same = said.get("top1_agreement", said.get("label_set_agreement"))
        wins = ", ".join(what for what, best in default.items() if best == name)
        rows.append([
            name, f"{ms(latency['median_ms'])} ms", times(latency.get("in_turns", {})),
            megabytes(said.get("memory", {}).get("peak_bytes")), megabytes(said["size_bytes"]),
            "" if same is None else f"{100 * same:.1f} %", "" if accuracy is None else f"{100 * accuracy:.1f} %",
            f"{100 * drop['drop']:.1f} (at most {100 * drop['at_most']:.1f})", wins,
        ])  # fmt: skip
    head = ["", "median", "times the fastest", "memory", "files", "same answer", "accuracy", "drop, points", "best for"]
    lines = columns(head, rows)
    first = facts["certificates"][0]["latency"]
    notes = [drift_note(first.get("in_turns", {}).get("drift") or 1.0)]
    notes += [
        f"{way(said['runtime'], said['precision'])} could not be measured in turns with the others, so it comes last:"
        f" {said['latency']['not_in_turns']}"
        for said in facts["certificates"]
        if "not_in_turns" in said["latency"]
    ]
    notes += [
        f"{way(said['runtime'], said['precision'])} is faster, but its drop is not decidable with so few validation photos:"
        " name it with --runtime if that is enough for you."
        for said in facts["certificates"][1:]
        if not said.get("decided", True)
        and "in_turns" in said["latency"]
        and said["latency"]["median_ms"] < first["median_ms"]
    ]
    return ["", *lines, *filter(None, notes)]


def times(turns: Mapping[str, Any]) -> str:
    low, high = turns.get("interval", (None, None))
    return spread(turns["ratio"], low, high) if low is not None else "1" if turns else ""
