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


@dataclass
class Predictor:
    """Milliseconds before a measurement: from this device's latency table where it has all of a network's blocks, else
    from the multiply-adds and what others of the networks measured so far took for theirs."""

    budget: Budget
    rates: dict[str, list[float]] = field(default_factory=dict)  # by way: ms for one multiply-add
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

    def learn(self, network: Network, image: int, way: str, ms: float) -> None:
        self.rates.setdefault(way, []).append(ms / network.madds(image))


def first_goals(
    candidates: Sequence[Network], budget: Budget, ways: Sequence[str], predictor: Predictor
) -> dict[str, tuple[Network, int]]:
    """By name each network that may fit, with the largest side that it is predicted to fit at.

    One that is predicted over SLACK times the budget at its smallest side is left out, and so is one whose files are too
    large at every precision.
    """
    found = {}
    for network in candidates:
        if budget.size_mb is not None and min(size_of(network, way) for way in ways) > 1e6 * budget.size_mb:
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
            predictor.learn(network, side, way, one.latency_ms)
        return measured

    def climb(side: int, chosen: Sequence[str]) -> None:
        """Measure at `side`, and from there at the largest side that should fit, until that one has been measured."""
        looked = set[int]()
        for _ in range(LOOKS):
            looked.add(side)
            measured = look(side, chosen)
            if not measured:
                return
            way, best = min(measured.items(), key=lambda item: item[1].latency_ms)
            goal = largest_side(network, budget, side, best.latency_ms)
            # A side that was too slow when it was looked at stays so, whatever the rule of three says of it.
            slow = {one.image for one in found if one.way == way and not one.fits}
            goal = max((other for other in network.sides if other <= (goal or 0) and other not in slow), default=None)
            if goal is None or goal in looked:
                return
            side, chosen = goal, [way]

    if exact_ways:
        climb(start, exact_ways)
    reached = max((one.image for one in found if one.fits), default=None)
    if int8_ways and reached != network.sides[-1]:
        quickest = min(found, key=lambda one: (one.measured_ms or 0) / network.madds(one.image), default=None)
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


def nearest(options: Sequence[Option], budget: Budget) -> Option | None:
    """Of those that do not fit, the one that is least over, as a share, in what it is most over."""

    def over(one: Option) -> float:
        figures = ((one.measured_ms, budget.latency_ms), (one.size_bytes / 1e6, budget.size_mb),
                   ((one.memory_bytes or 0) / 1e6, budget.memory_mb))  # fmt: skip
        return max(value / limit for value, limit in figures if value is not None and limit is not None)

    return min((one for one in options if one.measured_ms is not None), key=over, default=None)


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

    The first network is measured first: what it takes is what the others' multiply-adds are predicted by.
    """
    from .candidates import short_list

    predictor = Predictor(budget)
    first, *rest = candidates
    options = options_of(first, middle(first), budget, ways, predictor, measure)
    say(said_of(first, options))
    goals = first_goals(rest, budget, ways, predictor)
    taken = {first.name: (first, middle(first)), **goals}
    hurried = budget.minutes is not None
    names = [name for name in short_list(taken, photos, hurried=hurried) if name != first.name]
    tuned = first.tuned or any(network.tuned for network, _ in goals.values())
    for name in names:
        network, start = goals[name]
        # Beside pretrained ones those from scratch get no int8: it is measured where it may decide.
        allowed = ways if network.tuned or not tuned else [way for way in ways if exact(way)] or list(ways)
        more = options_of(network, start, budget, allowed, predictor, measure)
        say(said_of(network, more))
        options += more
    return options


def said_of(network: Network, options: Sequence[Option]) -> str:
    """A line for whoever waits: the largest side of a network that fits."""
    fitting = [one for one in options if one.fits]
    if not fitting:
        return f"  {network.name}: does not fit"
    best = max(fitting, key=lambda one: (one.image, -(one.measured_ms or 0)))
    weights = "pretrained" if network.tuned else "from scratch"
    return f"  {network.name} ({weights}): up to {best.image} px, {best.measured_ms:.2f} ms on {best.way}"
