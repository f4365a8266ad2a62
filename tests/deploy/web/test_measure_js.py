"""page/measure.js with a clock and calls of our own."""

import numpy as np

IMPORTS = 'import { measure, quantile, summary, clockStep } from "./measure.js";'
# A clock that ticks in steps of given.step ms, and calls that take what given.times says, in turn.
CLOCK = """
let real = 0, calls = 0;
const now = () => { real += 0.001; return Math.floor(real / given.step) * given.step; };
const call = async () => { real += given.times[Math.min(calls, given.times.length - 1)]; calls += 1; };
"""


def test_quantiles_are_numpys(node):
    values = np.random.default_rng(0).exponential(3, 41).tolist()
    for n in (1, 2, 41):
        found = node(IMPORTS, "return summary(given)", values[:n])
        wanted = {"median": 50, "p10": 10, "p90": 90, "p99": 99, "least": 0}
        for name, q in wanted.items():
            np.testing.assert_allclose(found[name], np.percentile(values[:n], q), err_msg=name)
    assert node(IMPORTS, "return summary(given)", [1] * 10 + [1.2] * 10 + [1.5] * 10)["drift"] == 0.5


def test_the_slow_calls_at_first_do_not_count(node):
    given = {"step": 0.005, "times": [200, *[30] * 20, 10]}
    found = node(IMPORTS, CLOCK + "return measure(call, { now, seconds: 2 })", given)
    assert abs(found["median"] - 10) < 0.1
    assert abs(found["first"] - 200) < 0.1
    assert found["p99"] < 11


def test_a_clock_of_whole_milliseconds_still_tells_fractions(node):
    found = node(IMPORTS, CLOCK + "return measure(call, { now, seconds: 2 })", {"step": 1, "times": [1.37]})
    assert abs(found["median"] - 1.37) < 0.1
    assert found["callsPerSample"] >= 14
    assert found["clockStep"] == 1


def test_very_slow_calls_come_to_an_end(node):
    found = node(
        IMPORTS, CLOCK + "return [await measure(call, { now, seconds: 1 }), calls]", {"step": 0.1, "times": [900]}
    )
    assert found[1] < 60
    assert found[0]["samples"] == 10
