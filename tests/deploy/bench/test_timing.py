from concurrent.futures import ThreadPoolExecutor

import pytest

from linnet.deploy.bench.timing import (
    LEAST_ROUNDS,
    REST,
    ROUNDS,
    Block,
    one_at_a_time,
    side_by_side,
    take_turns,
    warm_up,
)


class Machine:
    """A clock that only work moves. `pace` is how slow the machine is at the moment."""

    def __init__(self):
        self.now, self.pace, self.log = 0.0, 1.0, []

    def clock(self):
        return self.now

    def rest(self, seconds):
        self.log.append("rest")
        self.now += seconds

    def call(self, name, *takes):
        """A call that takes these seconds, and from then on always the last of them."""
        left = list(takes)

        def run():
            self.log.append(name)
            self.now += self.pace * (left.pop(0) if len(left) > 1 else left[0])

        return run

    def turn(self, name, *takes):
        call = self.call(name, *takes)
        return lambda seconds: one_at_a_time(call, seconds, clock=self.clock)


def test_a_turn_is_the_median_of_its_calls_after_some_that_do_not_count():
    machine = Machine()
    block = one_at_a_time(machine.call("a", 0.5, 0.25, 0.25, 0.25, 1.0, 0.25), 1.2, clock=machine.clock)
    assert block == Block(0.25, (0.25, 0.25, 0.25, 1.0))
    assert machine.log == ["a"] * 5


def test_a_call_longer_than_the_turn_is_the_turn():
    machine = Machine()
    assert one_at_a_time(machine.call("a", 3.0), 0.5, clock=machine.clock) == Block(3.0, (3.0,))
    assert machine.log == ["a"]
    assert one_at_a_time(machine.call("b", 0.25), 0.5, clock=machine.clock).calls == (0.25, 0.25), (
        "a shorter one settles"
    )
    assert machine.log == ["a", "b", "b", "b"]


def test_the_warm_up_ends_when_it_gets_no_faster():
    machine = Machine()
    falling = machine.turn("a", *[1.0] * 6, *[0.8] * 6, *[0.6] * 6, 0.5)
    assert 4 <= warm_up(falling, 2.0) <= 10
    assert falling(2.0).value == 0.5, "it is warm"
    assert warm_up(machine.turn("b", 0.1), 1.0) == 3, "what is warm needs one block and two that are no faster"
    for_ever = iter(range(1, 1000))
    assert warm_up(lambda seconds: Block(1 / next(for_ever), ()), 1.0, most=12) == 12


def test_all_take_turns_in_changing_order():
    machine = Machine()
    found = take_turns({name: machine.turn(name, 0.01) for name in "abc"}, 6.0, clock=machine.clock, rest=machine.rest)
    assert {name: len(blocks) for name, blocks in found.items()} == dict.fromkeys("abc", ROUNDS)
    order = [name for i, name in enumerate(machine.log) if name != "rest" and machine.log[i - 1] == "rest"]
    rounds = ["".join(order[i : i + 3]) for i in range(0, len(order), 3)]
    assert all(sorted(one) == list("abc") for one in rounds)
    assert set(rounds[:6]) == {"abc", "cba", "bca", "acb", "cab", "bac"}
    assert machine.log.count("rest") == 3 * ROUNDS
    each = sum(sum(block.calls) for block in found["a"])
    assert each == pytest.approx(6.0, rel=0.15)


def test_long_calls_have_fewer_rounds():
    machine = Machine()
    found = take_turns({name: machine.turn(name, 2.0) for name in "ab"}, 3.0, clock=machine.clock, rest=machine.rest)
    assert {len(blocks) for blocks in found.values()} == {LEAST_ROUNDS}
    assert machine.now == pytest.approx(LEAST_ROUNDS * 2 * (2.0 + REST))


def test_a_machine_that_slows_down_slows_all():
    """Whoever is measured alternately keeps the ratio, though the milliseconds change."""
    machine = Machine()
    slowing = []
    found = take_turns(
        {"a": machine.turn("a", 0.01), "b": machine.turn("b", 0.02)}, 6.0,
        clock=machine.clock, rest=machine.rest,
        progress=lambda done: slowing.append(setattr(machine, "pace", machine.pace * 1.08)),
    )  # fmt: skip
    assert len(slowing) == ROUNDS
    assert found["a"][-1].value > 5 * found["a"][0].value
    for a, b in zip(found["a"], found["b"], strict=True):
        assert b.value / a.value == pytest.approx(2)


def test_throughput_counts_what_all_streams_finish():
    import threading
    import time

    def call():
        time.sleep(0.01)

    with ThreadPoolExecutor(2) as threads:
        block = side_by_side([call, call], 4, 0.2, threads)
    assert 0.2 * 2 / 0.01 + 2 >= len(block.calls) > 0.2 * 2 / 0.05
    assert 0.01 / 8 <= block.value < 0.03 / 8, "two at a time, four images each"
    assert threading.active_count() < 10
