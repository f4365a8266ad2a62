import itertools
import math
import xml.etree.ElementTree as xml

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.explanation.charts import (
    HIGH,
    WIDE,
    Line,
    bar,
    calibration_chart,
    heat_map,
    level,
    line_chart,
    thinned,
    ticks,
)


def numbers(svg: str, tag: str, *names: str) -> list[tuple[float, ...]]:
    return [tuple(float(e.get(n)) for n in names) for e in xml.fromstring(svg).iter(tag)]


def points(svg: str, kind: str) -> list[tuple[float, float]]:
    line = next(e for e in xml.fromstring(svg).iter("polyline") if kind in e.get("class"))
    return [tuple(map(float, p.split(","))) for p in line.get("points").split()]


def texts(svg: str) -> list[str]:
    return [e.text for e in xml.fromstring(svg).iter("text")]


@given(st.floats(-1e9, 1e9), st.floats(0, 1e9), st.integers(2, 8))
def test_ticks_cover_the_range_evenly(low, span, about):
    found = ticks(low, low + span, about)
    slack = 1e-6 * max(1.0, abs(low), span)
    assert found[0] <= low + slack
    assert found[-1] >= low + span - slack
    assert 2 <= len(found) <= about + 4
    steps = [b - a for a, b in itertools.pairwise(found)]
    assert max(steps) - min(steps) <= slack


def test_points_lie_where_the_axes_say():
    svg = line_chart("Loss", [Line("training", ((0, 0.0), (2, 1.0), (4, 0.5)), "train")], low=0)
    (x0, y0), (x1, y1), (x2, y2) = points(svg, "train")
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.2)
    assert y0 - y1 == pytest.approx(2 * (y0 - y2), abs=0.2)
    assert y1 < y2 < y0  # up is more
    assert {"0", "1", "0.500", "training", "epoch"} <= set(texts(svg))  # the last value stands at the end


def test_what_is_not_finite_is_not_drawn():
    svg = line_chart("Loss", [Line("a", ((1, math.nan), (2, 1.0), (3, math.inf), (4, 2.0)))])
    assert len(points(svg, "plain")) == 2
    assert "nan" not in svg.lower()
    assert "inf" not in svg.lower()
    assert line_chart("Loss", [Line("a", ((1, math.nan),))]) == ""
    assert line_chart("Loss", []) == ""


@given(st.lists(st.tuples(st.integers(0, 50), st.floats(-1e25, 1e25)), min_size=1, max_size=9))
def test_any_numbers_make_a_drawing_inside_its_box(pairs):
    svg = line_chart("any", [Line("one", tuple(sorted(pairs)), marks=True)])
    for x, y in numbers(svg, "circle", "cx", "cy"):
        assert 0 <= x <= WIDE
        assert 0 <= y <= HIGH


def test_labels_at_the_ends_do_not_cover_each_other():
    svg = line_chart("a", [Line("one", ((0, 0), (1, 0.50))), Line("two", ((0, 1), (1, 0.51)))])
    ends = [float(e.get("y")) for e in xml.fromstring(svg).iter("text") if e.get("class").startswith("end")]
    assert abs(ends[0] - ends[1]) >= 24


def test_stairs_keep_a_value_until_the_next():
    svg = line_chart("size", [Line("pixels", ((0, 96), (1, 96), (1.5, 160)), stairs=True)], low=0)
    corner = points(svg, "plain")
    assert len(corner) == 5
    assert all(a[0] == b[0] or a[1] == b[1] for a, b in itertools.pairwise(corner))


def test_names_cannot_leave_the_drawing():
    nasty = '"><script>alert(1)</script><img src=x onerror=alert(1)>\u202e'
    svg = line_chart(nasty, [Line(nasty, ((0, 1), (1, 2)), marks=True)], x_label=nasty, changes=[(0.5, nasty)])
    tree = xml.fromstring(svg)
    assert {e.tag for e in tree.iter()} <= {"svg", "title", "line", "text", "polyline", "polygon", "circle"}
    assert nasty.replace("\u202e", "\\u202e") in texts(svg)


def test_many_points_become_means_and_a_long_line_stays_small():
    many = [(float(i), float(i % 2)) for i in range(10_000)]
    few = thinned(many, 100)
    assert len(few) == 100
    assert all(0.4 < y < 0.6 for _, y in few)
    assert thinned(many[:3]) == tuple(many[:3])
    assert len(line_chart("a", [Line("one", thinned(many), marks=True)])) < 8000


def test_calibration_puts_a_perfect_bin_on_the_line():
    svg = calibration_chart([(0.5, 0.5, 0.4, 0.6, 10), (0.9, 0.7, 0.6, 0.8, 40)])
    tree = xml.fromstring(svg)
    ideal = next(e for e in tree.iter("line") if e.get("class") == "ideal")
    x1, y1, x2, y2 = (float(ideal.get(n)) for n in ("x1", "y1", "x2", "y2"))
    (xa, ya, ra), (xb, yb, rb) = numbers(svg, "circle", "cx", "cy", "r")
    assert ya == pytest.approx(y1 + (xa - x1) / (x2 - x1) * (y2 - y1), abs=0.3)
    assert yb > y1 + (xb - x1) / (x2 - x1) * (y2 - y1)  # too sure: below the line
    assert rb > ra
    assert calibration_chart([]) == ""


def test_the_map_has_one_square_for_each_cell_that_is_not_empty():
    svg = heat_map([[3, 1, 0], [0, 0, 0], [0, 2, 2]])
    paths = {e.get("class"): e.get("d") for e in xml.fromstring(svg).iter("path")}
    assert sum(d.count("z") for d in paths.values()) == 4
    assert paths["right f15"] == "M0 0h1v1h-1z"
    assert paths["wrong f5"] == "M1 0h1v1h-1z"


def test_levels_and_bars_keep_their_bounds():
    assert [level(s) for s in (0, 0.001, 0.5, 1, 2)] == [0, 1, 10, 20, 20]
    assert 'width="50.0"' in bar(0.5)
    assert 'width="0"' in bar(math.nan)
