"""The verb `doctor`: what is wrong with a folder of photos, as text, as JSON and as one page with the pictures."""

from __future__ import annotations

import os
from pathlib import Path

# Not for type checkers alone: the command line reads the signature.
from ..data.doctor import Diagnosis, Truncated
from ..deploy.runtime_check import RuntimeCheck


def doctor(
    photos: Path | None = None,
    *,
    model: Path | None = None,
    image: int | None = None,
    max_bad: float = 1.0,
    truncated: Truncated = "quarantine",
    out: Path | None = None,
    runtimes: bool = False,
) -> Diagnosis | RuntimeCheck:
    """Say what is wrong with a folder of photos, or which runtimes work here.

    Args:
        photos: The folder (or CSV of path,label or path,labels) to look at; nothing in it is changed.
        model: A run's folder, a bundle or a model's file that was trained on them: it names labels that it doubts.
        image: Side in pixels that the network will see; by default the model's, or 224.
        max_bad: Fail when more than this share of the files is bad, or a class has no good file. By default 1: it only reports.
        truncated: "repair" shows the photos as a training with it uses them: those of train of which 90 % of the rows can
            be decoded, cut to these. By default truncated photos are not used.
        out: A new folder for doctor.html, doctor.json and, where look-alikes lie in two splits, photos.csv without them;
            or a file ending in .json for the JSON alone.
        runtimes: Look at this machine instead: which runtimes are installed, and whether they answer as PyTorch does.
    """
    from dataclasses import replace

    from ..data.doctor import diagnose, stop_if_bad
    from ..data.preprocess import Preprocess
    from ..data.source import find_photos
    from ..errors import SettingError
    from ..evaluation.progress import shown_looks

    if runtimes == (photos is not None):
        raise SettingError("doctor looks at photos or at this machine: give a folder of photos, or --runtimes.")
    if photos is None:
        from ..deploy.runtime_check import look_at_runtimes

        return look_at_runtimes()
    if out is not None and Path(out).suffix.lower() == ".json" and os.path.lexists(out):
        raise SettingError(f"{out}: is there already, and nothing is overwritten. Give another name with --out.")
    if model is None:
        found, labels = find_photos(photos), None
        preprocess = Preprocess()
    else:
        from ..evaluation.labels import check_labels, model_and_photos

        labels, found, trained_on = model_and_photos(Path(model), Path(photos))
        preprocess = labels.preprocess
    if image is not None:
        preprocess = preprocess.at(image)
    with shown_looks(sum(map(len, found.splits.values()))) as show:
        diagnosis = diagnose(found, progress=show, preprocess=preprocess, truncated=truncated)
    if labels is not None:
        told = check_labels(labels, diagnosis.photos, name=str(model), trained_on=trained_on)
        diagnosis = replace(diagnosis, labels=told)
    if out is not None:
        write(diagnosis, Path(out))
    if max_bad < 1:
        stop_if_bad(diagnosis, max_bad)
    return diagnosis


def write(diagnosis: Diagnosis, out: Path) -> None:
    """Write the JSON alone, or a new folder with the page, the JSON and the list without look-alikes in two splits."""
    from ..data.leaks import apart, as_csv
    from ..files import fresh_folder, write_json, write_text
    from .checkup import checkup
    from .page import render_page

    if out.suffix.lower() == ".json":
        write_json(out, diagnosis.to_json())
        return
    folder = fresh_folder(out)
    write_json(folder / "doctor.json", diagnosis.to_json())
    chosen = apart(diagnosis.photos, diagnosis.alike)
    listed = as_csv(chosen, diagnosis.photos) if chosen else None
    if listed:
        write_text(folder / "photos.csv", listed)
    write_text(folder / "doctor.html", render_page("checkup", **checkup(diagnosis, has_csv=bool(listed))))
