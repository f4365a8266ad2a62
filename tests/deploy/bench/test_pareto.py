import re
import xml.etree.ElementTree as tree

import pytest

from linnet.deploy.bench.pareto import Point, front, labels, latency_ticks, pareto_svg, round_steps, stairs

POINTS = [
    Point("b0 onnx", 6.0, 0.91, (0.88, 0.93)),
    Point("b0 openvino-bf16", 4.5, 0.91, (0.88, 0.93)),
    Point("lite0 <bf16> & more", 2.1, 0.90),
    Point("v3 small", 1.5, 0.86),
    Point("v3 large", 3.0, 0.89),
    Point("v3 twin", 1.5, 0.85),
]


def test_the_front_is_what_nobody_beats():
    assert [p.name for p in front(POINTS)] == ["v3 small", "lite0 <bf16> & more", "b0 openvino-bf16"]
    assert front(POINTS[:1]) == (POINTS[0],)
    for p in POINTS:
        beaten = any(q.latency_ms <= p.latency_ms and q.accuracy >= p.accuracy and q is not p for q in POINTS)
        assert (p in front(POINTS)) == (not beaten)


def test_the_drawing_is_a_file_of_its_own_with_every_point_named():
    root = tree.fromstring(pareto_svg(POINTS, "2 threads & batch 1"))
    space = "{http://www.w3.org/2000/svg}"
    circles = root.findall(f"{space}circle")
    assert len(circles) == len(POINTS)
    assert sum("best" in c.get("class", "") for c in circles) == 3
    texts = [text.text for text in root.findall(f"{space}text")]
    assert {p.name for p in POINTS} <= set(texts)
    assert len(root.findall(f"{space}line[@class='whisker']")) == 2
    for c in circles:
        assert 0 < float(c.get("cx")) < 760
        assert 0 < float(c.get("cy")) < 440
    xs = {c.find(f"{space}title").text.split(":")[0]: float(c.get("cx")) for c in circles}
    assert xs["v3 small"] == xs["v3 twin"] < xs["lite0 <bf16> & more"] < xs["b0 onnx"]
    assert "http" not in pareto_svg(POINTS, "x").replace("http://www.w3.org/2000/svg", ""), (
        "it asks nobody for anything"
    )


@pytest.mark.parametrize("accuracy", [0.0, 0.5, 1.0])
def test_one_point_is_enough(accuracy):
    tree.fromstring(pareto_svg([Point("a", 0.01, accuracy)], "one"))


def test_names_do_not_cover_each_other():
    places = [
        (100.0, 100.0, "the first", True),
        (105.0, 102.0, "the second", False),
        (740.0, 100.0, "at the edge", True),
    ]
    parts = labels(places)
    boxes = [[float(re.search(rf' {what}="([\d.]+)"', part)[1]) for what in ("x", "y", "textLength")] for part in parts]
    for i, (x, y, wide) in enumerate(boxes):
        assert x + wide < 760
        for a, b, other in boxes[:i]:
            assert abs(y - b) >= 14 or x >= a + other or a >= x + wide
        for px, py, _, _ in places:
            assert not (x < px < x + wide and y - 11 < py < y + 3), "no point is under a name"


def test_stairs_hold_until_the_next():
    assert stairs([(1, 9), (3, 7), (6, 2)]) == "M1 9H3V7H6V2"


@pytest.mark.parametrize(("low", "high"), [(88.2, 91.4), (90, 90), (0, 100), (99.5, 100), (0, 0)])
def test_round_steps_cover(low, high):
    steps = round_steps(low, high)
    assert steps[0] <= low
    assert steps[-1] >= high
    assert 2 <= len(steps) <= 8


@pytest.mark.parametrize(("low", "high"), [(1.3, 9), (2, 2), (0.004, 0.005), (1, 1), (9.99, 1001), (2.9, 3.1)])
def test_latency_ticks_enclose(low, high):
    steps = latency_ticks(low, high)
    assert steps[0] < low
    assert steps[-1] > high
    assert len(steps) >= 2
    assert steps == sorted(set(steps))
    assert len(steps) <= 10
