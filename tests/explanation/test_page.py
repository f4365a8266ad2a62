from __future__ import annotations

import base64
import hashlib
import re

import pytest
from jinja2 import UndefinedError

from linnet.explanation.page import render_page, templates


def test_the_policy_names_the_one_style_sheet_of_every_page():
    text = templates().from_string('{% extends "page.html.j2" %}').render(style_hash="HASH")
    style = text[text.index("<style>") + len("<style>") : text.index("</style>")]
    page = templates().get_template("page.html.j2")
    assert "".join(page.blocks["style"](page.new_context())) == style
    assert text.count("<style") == 1
    assert re.search(r"default-src 'none'; style-src 'sha256-HASH'; img-src data:", text)
    assert len(base64.b64encode(hashlib.sha256(style.encode()).digest())) == 44


def test_values_are_escaped_and_shown_in_full_without_asking():
    made = templates().from_string("{{ value }}").render(value="<img src=x onerror=alert(1)>\u202egpj")
    assert made == "&lt;img src=x onerror=alert(1)&gt;\\u202egpj"


def test_a_value_that_is_missing_is_no_empty_text():
    with pytest.raises(UndefinedError):
        render_page("report")
