import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.explanation.text import (
    NONE,
    duration,
    finite,
    inert,
    interval,
    magnitude,
    number,
    percent,
    plain,
    shortened,
    size,
)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("photo\u202egpj.exe", "photo\\u202egpj.exe"),
        ("a\u2066b\u200b\u200f", "a\\u2066b\\u200b\\u200f"),
        ("line\nbreak\x1b[31m\x00", "line\\nbreak\\x1b[31m\\x00"),
        ("half \ud83d", "half \\ud83d"),
        ("Ärmel 外套 שלום 👨‍👩‍👧", "Ärmel 外套 שלום 👨‍👩‍👧"),  # letters of any script and joined emoji stay
        ("<b>&", "<b>&"),  # escaping is the template's work
    ],
)
def test_unseen_characters_are_written_out(given, shown):
    assert inert(given) == shown
    inert(given).encode()


def test_a_long_name_keeps_its_two_ends():
    assert shortened("a" * 200 + "/0001.jpg", 21) == "aaaaaaaaaa…a/0001.jpg"
    assert shortened("short.jpg", 21) == "short.jpg"


def test_only_all_is_a_hundred_per_cent():
    assert [percent(v) for v in (1, 0.99999, 0.5, 1e-9, 0.0)] == [
        "100\u00a0%",
        "99.9\u00a0%",
        "50.0\u00a0%",
        "0.1\u00a0%",
        "0\u00a0%",
    ]
    assert interval([0.9123, 0.9551]) == "91.2 to 95.5\u00a0%"


def test_figures_as_people_read_them():
    assert (number(1234567), number(0.00123456), number(1e-9)) == ("1,234,567", "0.00123", "1.00e-09")
    assert (plain(0.9999), plain(0.1), plain(25 / 3), plain(1e-8), plain(2.5e-7)) == (
        "0.9999",
        "0.1",
        "8.33",
        "10⁻⁸",
        "2.5·10⁻⁷",
    )
    assert (magnitude(1528106), size(6_112_345), duration(754)) == (
        "1.53\u00a0M",
        "6.11\u00a0MB",
        "12\u00a0min 34\u00a0s",
    )


@given(st.none() | st.booleans() | st.text() | st.floats() | st.integers() | st.lists(st.floats(), max_size=3))
def test_no_value_breaks_a_formatter(value):
    for form in (number, plain, percent, magnitude, size, duration, interval, inert, shortened):
        assert isinstance(form(value), str)
    if not finite(value):
        assert number(value) == plain(value) == percent(value) == NONE
    json.dumps(inert(value)).encode()
