"""The verb `report`: what lies in a run's folder as one HTML file that needs nothing else."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any


def report(run: Path, *, out: Path | None = None) -> Path:
    """Write a run's report: one HTML file that opens anywhere, offline, without scripts.

    Args:
        run: The folder of a run, as `linnet fit` or `linnet train` wrote it.
        out: Where to write the report; report.html in the run's folder if not given.

    Raises: SettingError when the folder holds nothing of a run.
    """
    from ..files import write_text
    from .folder import read_run

    out = Path(out) if out is not None else Path(run) / "report.html"
    write_text(out, render(read_run(run)))
    return out


def render(run: Any) -> str:
    """The page of a RunFolder: the same text for the same folder and photos."""
    import base64
    import hashlib

    from . import headline, history, inputs, proof, quality
    from .section import build

    template = _template()
    sections = {
        "headline": headline.headline,
        "training": history.training,
        "curves": history.curves,
        "confusion": quality.confusion,
        "classes": quality.per_class,
        "mistakes": quality.mistakes,
        "data": inputs.data,
        "calibration": quality.calibration,
        "network": inputs.network,
        "proof": proof.certificates,
        "surroundings": proof.surroundings,
    }
    values = {name: build(section, run) for name, section in sections.items()}
    # The policy allows this one style sheet, by its hash: no other style, no script, nothing from elsewhere.
    style = "".join(template.blocks["style"](template.new_context()))
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    damaged = sorted(run.damaged.items())
    return template.render(**values, style_hash=digest, damaged=damaged)


@cache
def _template() -> Any:
    from importlib.resources import files

    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    from .text import inert

    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        # Every value that the template writes becomes harmless text here and is then escaped: none can be forgotten.
        finalize=lambda value: value if isinstance(value, Markup) else inert(value),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    source = files("linnet.explanation").joinpath("report.html.j2").read_text(encoding="utf-8")
    return environment.from_string(source)
