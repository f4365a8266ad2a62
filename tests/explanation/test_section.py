import json
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from linnet.errors import SettingError
from linnet.explanation import headline, history, inputs, proof, quality
from linnet.explanation.folder import RunFolder, read_run
from linnet.explanation.report import render
from linnet.explanation.section import Missing, build

SECTIONS = (
    headline.headline, history.training, history.curves, quality.confusion, quality.per_class, quality.mistakes,
    quality.calibration, inputs.data, inputs.network, proof.certificates, proof.surroundings,
)  # fmt: skip
PARTS = ("recipe", "environment", "data", "predictions", "bundle", "steps", "epochs", "notes")
odd = st.none() | st.booleans() | st.integers(-9, 99) | st.floats() | st.text(max_size=4)
odd = odd | st.lists(odd, max_size=3) | st.dictionaries(st.text(max_size=3), odd, max_size=2)


def test_what_stands_in_a_missing_section_s_place(tmp_path):
    def refuses(_run):
        raise SettingError("No network is called 'x'.")

    def is_absent(_run):
        raise Missing("There is none.")

    run = RunFolder(tmp_path)
    assert build(lambda _run: {"a": 1}, run) == {"missing": "", "a": 1}
    assert build(is_absent, run) == {"missing": "There is none."}
    assert build(refuses, run) == {"missing": "Left out: No network is called 'x'."}
    assert "KeyError" in build(lambda run: {"a": run.data["counts"]}, run)["missing"]
    with pytest.raises(MemoryError):  # only what a file's form can cause is caught
        build(lambda _run: (_ for _ in ()).throw(MemoryError), run)


@pytest.fixture
def plain_run(make_run):
    run = read_run(make_run(n=12))
    return replace(run, steps=run.steps[::40])


def places(value, above=()):
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inside:
        yield (*above, key)
        yield from places(one, (*above, key))


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whatever_form_a_part_has_there_is_a_page(plain_run, data):
    part = data.draw(st.sampled_from(PARTS))
    value = json.loads(json.dumps(getattr(plain_run, part)))
    *way, last = data.draw(st.sampled_from(list(places(value))))
    holder = value
    for key in way:
        holder = holder[key]
    holder[last] = data.draw(odd)
    if isinstance(value, list):
        value = tuple(one for one in value if isinstance(one, dict) and isinstance(one.get("epoch", 0), int))
    text = render(replace(plain_run, **{part: value}))
    assert text.count("<h2 ") == 10


def test_an_empty_folder_s_sections_are_sentences(tmp_path):
    for section in SECTIONS:
        found = build(section, RunFolder(tmp_path))
        assert "Left out" not in found["missing"]
