"""From values to a page: one HTML file that opens anywhere, offline, without scripts."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from .text import inert


def render_page(name: str, **values: Any) -> str:
    """The page that the template NAME.html.j2 makes of `values`: the same text for the same values."""
    made = templates()
    # The policy allows this one style sheet, by its hash: no other style, no script, nothing from elsewhere.
    page = made.get_template("page.html.j2")
    style = "".join(page.blocks["style"](page.new_context()))
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return made.get_template(f"{name}.html.j2").render(**values, style_hash=digest)


@cache
def templates() -> Environment:
    from importlib.resources import files

    folder = files("linnet.explanation")
    return Environment(
        loader=FunctionLoader(lambda name: folder.joinpath(name).read_text(encoding="utf-8")),
        autoescape=True,
        undefined=StrictUndefined,
        # Every value that the template writes becomes harmless text here and is then escaped: none can be forgotten.
        finalize=lambda value: value if isinstance(value, Markup) else inert(value),
        trim_blocks=True,
        lstrip_blocks=True,
    )
