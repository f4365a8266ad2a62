"""The verb `report`: what lies in a run's folder as one HTML file that needs nothing else."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any


def report(run: Path, *, out: Path | None = None) -> Path:
    """Write a run's report: one HTML file that opens anywhere, offline, without scripts.

    Args:
        run: The folder of a run, as `linnet fit` or `linnet train` wrote it.
        out: Where to write the report, a new file; by default report.html in the run's folder, which is written anew.

    Raises: SettingError when the folder holds nothing of a run, or `out` is there already.
    """
    from ..errors import SettingError
    from ..files import write_text
    from .folder import read_run

    own = Path(run) / "report.html"
    out = Path(out) if out is not None else own
    if os.path.lexists(out) and out.absolute() != own.absolute():
        raise SettingError(f"{out}: there is something there already, and nothing is overwritten. Give another name.")
    write_text(out, render(read_run(run)))
    return out


def render(run: Any) -> str:
    """The page of a RunFolder: the same text for the same folder and photos."""
    from . import ending, headline, history, inputs, labels, proof, quality, within
    from .page import render_page
    from .section import build

    sections = {
        "headline": headline.headline,
        "budget": within.budget,
        "training": history.training,
        "curves": history.curves,
        "average": ending.average,
        "dead": ending.dead,
        "confusion": quality.confusion,
        "classes": quality.per_class,
        "mistakes": quality.mistakes,
        "data": inputs.data,
        "calibration": quality.calibration,
        "network": inputs.network,
        "proof": proof.certificates,
        "surroundings": proof.surroundings,
    }
    if labels.several(run):
        sections |= labels.SECTIONS
    values = {name: build(section, run) for name, section in sections.items()}
    damaged = sorted(run.damaged.items())
    return render_page("report", **values, damaged=damaged)
