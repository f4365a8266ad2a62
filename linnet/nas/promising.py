"""Which image sizes and runtimes of a network fit a budget: predicted for all, measured where it is promising."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ..cost.latency import LatencyTable
from ..deploy.latency.blocks import WAYS as TABLED
from ..deploy.latency.blocks import read_table, table_file
from ..deploy.runtime.known import find_way
from .budget import Budget
from .candidates import Network
from .measuring import Measure, Measured
from .option import FITS, Option

SLACK = 1.3  # so much over the budget a prediction may be until it is not worth a measurement
INT8 = 0.7  # of the fastest exact way's time, where int8 was not measured yet
NEAR = (1.0, 0.85)  # of the side that a network is trained at: where it is best, and where it is faster for little
LOOKS = 3  # measurements of a network in the search for its largest side
RISE = 3.2  # bytes of memory for each byte of a file; 2.5 to 3.7 were measured on ONNX Runtime and OpenVINO


@dataclass
class Predictor:
    """Milliseconds and memory before a measurement: from this device's latency table where it has all of a network's
    blocks, else from the multiply-adds and the files, and what the networks measured so far took for theirs."""

    budget: Budget
    rates: dict[str, list[float]] = field(default_factory=dict)  # by way: ms for one multiply-add
    bases: dict[str, list[float]] = field(default_factory=dict)  # by runtime: bytes of memory without the files'
    tables: dict[str, LatencyTable | None] = field(default_factory=dict)

    def ms(self, network: Network, image: int, way: str) -> float | None:
        table = self.table(way)
        if table is not None and not table.missing(layer for _, layer in network.arch.layers(image)):
            return table.predict(network.arch, image).ms
        rates = sorted(self.rates.get(way, ()))
        return rates[len(rates) // 2] * network.madds(image) if rates else None

    def table(self, way: str) -> LatencyTable | None:
        if way not in self.tables:
            self.tables[way] = read_table(table_file(way, self.budget.threads)) if way in TABLED else None
        return self.tables[way]

    def memory(self, network: Network, way: str) -> float | None:
        bases = sorted(self.bases.get(find_way(way)[0].name, ()))
        return bases[len(bases) // 2] + RISE * size_of(network, way) if bases else None

    def learn(self, network: Network, image: int, way: str, measured: Measured) -> None:
        self.rates.setdefault(way, []).append(measured.latency_ms / network.madds(image))
        if measured.memory_bytes is not None:
            base = measured.memory_bytes - RISE * measured.size_bytes
            self.bases.setdefault(find_way(way)[0].name, []).append(base)


def first_goals(
    candidates: Sequence[Network], budget: Budget, ways: Sequence[str], predictor: Predictor
) -> dict[str, tuple[Network, int]]:
    """By name each network that may fit, with the largest side that it is predicted to fit at.

    One that is predicted over SLACK times the budget at its smallest side is left out, and so is one whose files, or the
    memory that they take, are too large at every precision.
    """
    found = {}
    for network in candidates:
        if budget.size_mb is not None and min(size_of(network, way) for way in ways) > 1e6 * budget.size_mb:
            continue
        memory = [bytes for way in ways if (bytes := predictor.memory(network, way)) is not None]
        if budget.memory_mb is not None and memory and min(memory) > SLACK * 1e6 * budget.memory_mb:
            continue
        share = 1.0 if all(map(exact, ways)) else INT8
        fast = {side: fastest(network, side, ways, predictor) for side in network.sides}
        known = {side: ms for side, ms in fast.items() if ms is not None}
        if budget.latency_ms is None or not known:
            found[network.name] = network, network.sides[-1] if budget.latency_ms is None else middle(network)
        elif share * min(known.values()) <= SLACK * budget.latency_ms:
            within = [side for side, ms in known.items() if ms <= budget.latency_ms]
            found[network.name] = network, max(within, default=network.sides[0])
    return found


def options_of(
    network: Network, start: int, budget: Budget, ways: Sequence[str], predictor: Predictor, measure: Measure
) -> list[Option]:
    """The sides and ways of a network that were measured, from `start` on towards the largest side that fits.

    First the exact ways, then int8 where it allows a larger side or smaller files.
    """
    found: list[Option] = []
    exact_ways, int8_ways = [way for way in ways if exact(way)], [way for way in ways if not exact(way)]

    def look(side: int, chosen: Sequence[str]) -> dict[str, Measured]:
        predicted = {way: predictor.ms(network, side, way) for way in chosen}
        measured = measure(network.arch, side, chosen, budget.threads, budget.memory_mb is not None)
        for way, one in measured.items():
            over = budget.excess(one.latency_ms, one.size_bytes, one.memory_bytes)
            found.append(
                Option(network.name, side, way, one.size_bytes, predicted[way], one.latency_ms, one.memory_bytes,
                       verdict=over or FITS)
            )  # fmt: skip
            predictor.learn(network, side, way, one)
        return measured

    def climb(side: int, chosen: Sequence[str]) -> None:
        """Measure at `side`, and from there at the largest side that should fit, until that one has been measured."""
        looked = set[int]()
        for _ in range(LOOKS):
            looked.add(side)
            measured = look(side, chosen)
            if not measured:
                return
            looks = [one for one in found if one.image == side and one.way in measured]
            if budget.size_mb is not None:  # which no other side changes
                looks = [one for one in looks if one.size_bytes <= 1e6 * budget.size_mb]
            if not looks:
                return
            best = min(looks, key=lambda one: (max(1.0, share_of(one, budget)), one.measured_ms or 0))
            way, own = best.way, [one for one in found if one.way == best.way]
            goal = largest_side(network, budget, side, best.measured_ms or 0)
            # A side that was too slow when it was looked at stays so, whatever the rule of three says of it.
            slow = {one.image for one in own if not one.fits}
            goal = max((other for other in network.sides if other <= (goal or 0) and other not in slow), default=None)
            if any(too_much_memory(one, budget) for one in own):
                goal = within_memory(network, own, goal)
            if goal is None or goal in looked:
                return
            side, chosen = goal, [way]

    if exact_ways:
        climb(start, exact_ways)
    reached = max((one.image for one in found if one.fits), default=None)
    if int8_ways and reached != network.sides[-1]:
        least = budget.memory_mb is not None and reached is None  # of memory, which hangs on the runtime most of all
        quickest = min(
            found,
            key=lambda one: ((one.memory_bytes or 0) * least, (one.measured_ms or 0) / network.madds(one.image)),
            default=None,
        )
        if quickest is not None:  # its own runtime in int8; another one would have to be quantised too
            own = [way for way in int8_ways if find_way(way)[0] == find_way(quickest.way)[0]]
            assert quickest.measured_ms is not None
            start = largest_side(network, budget, quickest.image, INT8 * quickest.measured_ms) or network.sides[0]
            climb(start, own or int8_ways)
        else:
            climb(start, int8_ways)
    return found


def between(network: Network, options: Sequence[Option], trained_at: int) -> list[Option]:
    """Smaller sides of a network on the ways that fit: what fits at a side fits below it, so these are not measured.

    In float and in int8 those at NEAR of the side that it is trained at, below the largest that fits.
    """
    taken = {(one.image, one.way) for one in options}
    found = []
    for kind in (True, False):
        fitting = [one for one in options if one.fits and exact(one.way) == kind and one.measured_ms is not None]
        if not fitting:
            continue
        top = max(fitting, key=lambda one: (one.image, -(one.measured_ms or 0)))
        for share in NEAR:
            side = min(network.sides, key=lambda other: abs(other - share * trained_at))
            if side < top.image and (side, top.way) not in taken:
                taken.add((side, top.way))
                ms = (top.measured_ms or 0) * network.madds(side) / network.madds(top.image)
                found.append(Option(network.name, side, top.way, top.size_bytes, ms))
    return found


def largest_side(network: Network, budget: Budget, side: int, ms: float) -> int | None:
    """The largest side within the budget, by the rule of three in multiply-adds from what `side` took."""
    if budget.latency_ms is None:
        return network.sides[-1]
    most = network.madds(side) * budget.latency_ms / ms
    return max((other for other in network.sides if network.madds(other) <= most), default=None)


def within_memory(network: Network, own: Sequence[Option], most: int | None) -> int | None:
    """The next side to look at, at most `most`, where one of a way's `own` looks took too much memory.

    That hangs on the side only a little: the smallest side says whether any fits, then the one halfway is next.
    """
    if most is None or network.sides[0] not in {one.image for one in own}:
        return network.sides[0] if most is not None else None
    low = max((one.image for one in own if one.fits), default=None)
    high = min(one.image for one in own if not one.fits)
    inside = [side for side in network.sides if low is not None and low < side < high and side <= most]
    return inside[len(inside) // 2] if inside else None


def too_much_memory(one: Option, budget: Budget) -> bool:
    """Also where it could not be measured."""
    return budget.memory_mb is not None and (one.memory_bytes is None or one.memory_bytes > 1e6 * budget.memory_mb)


def share_of(one: Option, budget: Budget) -> float:
    """What a measured option takes of the budget, as a share of what it takes the most of."""
    figures = ((one.measured_ms, budget.latency_ms), (one.size_bytes / 1e6, budget.size_mb),
               ((one.memory_bytes or 0) / 1e6, budget.memory_mb))  # fmt: skip
    return max((value / limit for value, limit in figures if value is not None and limit is not None), default=0.0)


def nearest(options: Sequence[Option], budget: Budget) -> Option | None:
    """Of those that do not fit, the one that is least over, as a share, in what it is most over."""
    return min(
        (one for one in options if one.measured_ms is not None), key=lambda one: share_of(one, budget), default=None
    )


def fastest(network: Network, side: int, ways: Sequence[str], predictor: Predictor) -> float | None:
    found = [ms for way in ways if (ms := predictor.ms(network, side, way)) is not None]
    return min(found, default=None)


def middle(network: Network) -> int:
    """Where nothing is known: 160 pixels, or the side nearest to it."""
    return min(network.sides, key=lambda side: abs(side - 160))


def size_of(network: Network, way: str) -> int:
    return network.size(find_way(way)[1])


def exact(way: str) -> bool:
    """Whether its numbers are floating-point ones, which need no calibration."""
    return find_way(way)[1] != "int8"


Say = Callable[[str], None]


def look_at_all(
    candidates: Sequence[Network], photos: int, budget: Budget, ways: Sequence[str], measure: Measure, say: Say
) -> list[Option]:
    """Every option that was measured, of the networks that are worth it; see `short_list`.

    The first network is measured first: what it takes is what the others' multiply-adds are predicted by. Where none of
    these fits, the smallest of the rest says whether any can, and the others follow, the largest first, until one does.
    """
    from .candidates import short_list

    predictor, options = Predictor(budget), list[Option]()

    def look(network: Network, start: int, allowed: Sequence[str]) -> bool:
        more = options_of(network, start, budget, allowed, predictor, measure)
        say(said_of(network, more))
        options.extend(more)
        return any(one.fits for one in more)

    first, *rest = candidates
    taken = {first.name: (first, middle(first))} if look(first, middle(first), ways) else {}
    goals = first_goals(rest, budget, ways, predictor)
    taken |= goals
    hurried = budget.minutes is not None
    names = [name for name in short_list(taken, photos, hurried=hurried) if name != first.name]
    tuned = any(network.tuned for network, _ in taken.values())
    for name in names:
        network, start = goals[name]
        # Beside pretrained ones those from scratch get no int8: it is measured where it may decide.
        look(network, start, ways if network.tuned or not tuned else [way for way in ways if exact(way)] or list(ways))
    left = sorted((one for one in rest if one.name not in names), key=lambda one: one.madds(one.sides[0]))
    if left and not any(one.fits for one in options) and look(left[0], left[0].sides[0], ways):
        others = first_goals(left[1:], budget, ways, predictor)
        for network, start in sorted(others.values(), key=lambda goal: -goal[0].madds(goal[1])):
            if look(network, start, ways):
                break
    return options


def said_of(network: Network, options: Sequence[Option]) -> str:
    """A line for whoever waits: the largest side of a network that fits."""
    fitting = [one for one in options if one.fits]
    if not fitting:
        return f"  {network.name}: does not fit"
    best = max(fitting, key=lambda one: (one.image, -(one.measured_ms or 0)))
    weights = "pretrained" if network.tuned else "from scratch"
    return f"  {network.name} ({weights}): up to {best.image} px, {best.measured_ms:.2f} ms on {best.way}"
