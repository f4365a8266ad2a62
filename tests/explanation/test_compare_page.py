from __future__ import annotations

from pathlib import Path

from pages import NASTY, check_inert

from linnet.evaluation.answers import Answer, Answered
from linnet.explanation.compare import Disagreement, compared
from linnet.explanation.compare_page import PICTURES, render_comparison, spread
from linnet.explanation.side import Side


def test_names_that_would_be_markup_stay_text():
    nasty = list(NASTY)
    answers = {str(i): Answer(name, name, f"{name}/{i}.jpg") for i, name in enumerate(nasty)}
    others = {key: a._replace(predicted=nasty[(i + 1) % len(nasty)]) for i, (key, a) in enumerate(answers.items())}
    side = Side(nasty[0], nasty[1], None, None, None, None, None, None, ((1, 0.5, 0.5),), ())
    found = compared((side, side), (Answered("test", answers), Answered("test", others, (nasty[4],))))
    page = check_inert(render_comparison(found, Path("/nowhere")))
    assert "<img src=x onerror=alert(1)>" in page.text


def test_pictures_are_shared_out_between_the_two():
    a = [Disagreement(f"a{i}", "x", "x", "y") for i in range(20)]
    b = [Disagreement(f"b{i}", "x", "y", "x") for i in range(20)]
    assert [sum(d.path[0] == c for d in spread(a + b)) for c in "ab"] == [PICTURES // 2, PICTURES // 2]
    assert len(spread(a + b[:2])) == PICTURES
    assert len(spread(b[:3])) == 3
