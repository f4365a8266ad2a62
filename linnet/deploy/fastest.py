"""`export --to auto`: every way to run a model that this machine has, measured in turns; the best of each kind is marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .bench.bench import measure
from .bench.contestant import Contestant, accuracy_of
from .bench.figures import drift_note
from .bench.measured import Bench, columns, megabytes, ms
from .bundle import Runtime
from .runtime.known import WAYS, is_here, way

AUTO = "auto"
SECONDS = 3.0  # for each way
EXACT = ("fp32", "fp16", "bf16", "int8")  # of ways equally fast the most exact is taken
FOR = ("latency", "memory", "size")  # what a way can be the best for


def every_way(*, int8: bool) -> tuple[str, ...]:
    """All ways for which this machine has what makes and what runs them; those in int8 only if there is what it takes."""
    return tuple(
        name
        for name, (known, precision) in WAYS.items()
        if is_here(known.module) and is_here(known.maker_of(precision)) and (int8 or precision != "int8")
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
    """Measure runtimes that passed their proofs, whose files lie in `place`, all in turns."""
    contestants = [contestant(one, said, place) for one, said in zip(runtimes, certificates, strict=True)]
    bench = measure(contestants, threads=threads, seconds=SECONDS, memory=False)
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
    """What a bench of these runtimes, called by their ways, means for their bundle."""
    ways = [way(one.runtime, one.precision) for one in runtimes]
    rows = {row.way: row for row in bench.rows}
    # An int8 whose drop is not decided may have lost more than it seems: it is no default where there is another.
    sure = {name: said.get("decided", True) for name, said in zip(ways, certificates, strict=True)}
    able = [row for row in bench.rows if sure[row.way]] or list(bench.rows)
    ratios = {pair.slower: pair for pair in bench.pairs if pair.faster == bench.rows[0].name}
    among = {pair.slower: pair for pair in bench.pairs if pair.faster == able[0].name}
    # Of those that cannot be told from the fastest, the most exact.
    level = [row.way for row in able if row is able[0] or not among[row.name].told_apart]
    first = min(level, key=lambda name: EXACT.index(WAYS[name][1]))
    order = sorted(range(len(ways)), key=lambda i: (ways[i] != first, rows[ways[i]].median_ms))
    size = {name: said["size_bytes"] for name, said in zip(ways, certificates, strict=True)}
    memory = {
        name: said["memory"]["peak_bytes"] for name, said in zip(ways, certificates, strict=True) if "memory" in said
    }
    speed = [ways[i] for i in order]  # of equals the faster
    default = {"latency": first, "size": min(speed, key=lambda name: size[name])}
    if len(memory) == len(ways):
        default["memory"] = min(speed, key=lambda name: memory[name])
    latency = []
    for name, said in zip(ways, certificates, strict=True):
        row, pair = rows[name], ratios.get(name)
        spread = {key: getattr(row, key) for key in ("p10_ms", "median_ms", "p90_ms", "p99_ms", "calls")}
        turns: dict[str, Any] = {"rounds": bench.facts["rounds"], "drift": bench.drift, "ratio": 1.0}
        if pair is not None:
            turns |= {"ratio": round(pair.ratio, 3), "interval": [round(pair.low, 3), round(pair.high, 3)]}
        latency.append({**said["latency"], **spread, "in_turns": turns})
    return Ranking(tuple(order), {what: default[what] for what in FOR if what in default}, tuple(latency))


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
        f"{way(said['runtime'], said['precision'])} is faster, but its drop is not decidable with so few validation photos:"
        " name it with --runtime if that is enough for you."
        for said in facts["certificates"][1:]
        if not said.get("decided", True) and said["latency"]["median_ms"] < first["median_ms"]
    ]
    return ["", *lines, *filter(None, notes)]


def times(turns: Mapping[str, Any]) -> str:
    low, high = turns.get("interval", (None, None))
    return "1" if low is None else f"{turns['ratio']:.2f} ({low:.2f} to {high:.2f})"
