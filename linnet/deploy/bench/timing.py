"""Contestants take turns on the clock, in blocks, so that whatever else the machine does meets all of them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

ROUNDS = 24  # turns of each contestant in the time that it is given
LEAST_ROUNDS = 6  # however slow it is: fewer give no 95 % interval (figures.compare)
SETTLE = 3  # untimed calls of a turn, until its caches and threads are those of whoever is on
REST = 0.03  # seconds between turns: threads of a pool spin for some milliseconds after their last call
STILL = 0.98  # of the best block so far: a warm-up is over when two blocks are no longer faster than this

Clock = Callable[[], float]  # seconds
Call = Callable[[], object]


@dataclass(frozen=True)
class Block:
    """One turn of a contestant, in seconds.

    `value` is what turns are compared by: the median call, or of calls side by side the time for each image.
    `calls` is what each call took.
    """

    value: float
    calls: tuple[float, ...]


Turn = Callable[[float], Block]  # works for so many seconds


def one_at_a_time(call: Call, seconds: float, *, clock: Clock = time.perf_counter) -> Block:
    """Latency: calls one after the other for so many seconds, at least one, after a few that are not counted.

    A call that takes longer than the turn is the turn: what caches and threads cost at its start is nothing beside it.
    """
    first = settle(call, seconds, clock)
    took = [first] if first > seconds else timed(call, seconds, clock)
    return Block(statistics.median(took), tuple(took))


def side_by_side(
    calls: Sequence[Call], images: int, seconds: float, threads: Executor, *, clock: Clock = time.perf_counter
) -> Block:
    """Throughput: each call repeated in a thread of its own, all at once; each call is of so many images."""

    def one(call: Call) -> tuple[list[float], float]:
        settle(call, seconds, clock)
        began = clock()
        return timed(call, seconds, clock), clock() - began

    found = list(threads.map(one, calls))
    # Each stream's own time, up to the end of its own last call: waiting for the others is nobody's throughput.
    per_second = sum(images * len(took) / elapsed for took, elapsed in found)
    return Block(1 / per_second, tuple(second for took, _ in found for second in took))


def settle(call: Call, seconds: float, clock: Clock) -> float:
    """A few calls, for a tenth of the turn at most, but one; gives what the first took."""
    began = clock()
    call()
    first = clock() - began
    for _ in range(SETTLE - 1):
        if clock() - began > seconds / 10:
            break
        call()
    return first


def timed(call: Call, seconds: float, clock: Clock) -> list[float]:
    took: list[float] = []
    began = clock()
    while not took or clock() - began < seconds:
        start = clock()
        call()
        took.append(clock() - start)
    return took


def warm_up(turn: Turn, block: float, *, most: int = 12) -> int:
    """Take turns until they stop getting faster; gives how many it took.

    A first call compiles kernels, a first second raises clock rates and fills caches: how long that lasts differs
    between runtimes by more than tenfold, so it is not a number that anybody could set.
    """
    best, still = float("inf"), 0
    for n in range(1, most + 1):
        value = turn(block).value
        still = still + 1 if value > STILL * best else 0
        best = min(best, value)
        if still == 2:
            return n
    return most


def take_turns(
    turns: Mapping[str, Turn],
    seconds: float,
    *,
    rounds: int = ROUNDS,
    progress: Callable[[int], None] | None = None,
    clock: Clock = time.perf_counter,
    rest: Callable[[float], None] = time.sleep,
) -> dict[str, tuple[Block, ...]]:
    """The blocks of each contestant, which it works for about so many seconds; block i of all is of the same round.

    The order turns from round to round and is reversed in every second, so that nobody always follows the same one.
    When calls are so long that half as much time again is over early, there are fewer rounds, but LEAST_ROUNDS.
    """
    names = list(turns)
    found: dict[str, list[Block]] = {name: [] for name in names}
    began = clock()
    for i in range(rounds):
        if i >= LEAST_ROUNDS and clock() - began > 1.5 * seconds * len(names):
            break
        place = i // 2 % len(names)
        order = names[place:] + names[:place]
        for name in reversed(order) if i % 2 else order:
            rest(REST)
            found[name].append(turns[name](seconds / rounds))
        if progress:
            progress(1)
    return {name: tuple(blocks) for name, blocks in found.items()}
