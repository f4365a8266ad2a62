"""The verb `train`: from photos and a few flags, or a recipe, to a run's folder; and `--resume`, to go on with one."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..data.doctor import Truncated  # not for type checkers alone: the command line reads the signature
from .result import Result

if TYPE_CHECKING:
    from ..data.source import Photos
    from .distributed import Place
    from .recipe import Recipe


def train(
    photos: Path | None = None,
    *,
    arch: str | None = None,
    recipe: str | Path | None = None,
    set: list[str] | None = None,
    epochs: int | None = None,
    image: int | None = None,
    batch: int | None = None,
    lr: float | None = None,
    seed: int | None = None,
    workers: int | None = None,
    max_bad: float | None = None,
    truncated: Truncated | None = None,
    pretrained: str | None = None,
    from_scratch: bool = False,
    head_only: bool = False,
    out: Path | None = None,
    resume: Path | None = None,
    processes: int | None = None,
) -> Result | None:
    """Train a network on a folder of photos, or go on with a run that was stopped.

    Ctrl-C saves and says how to go on (exit code 75); a killed run goes on from its last checkpoint. On a CPU the
    resumed run ends with the same bits as one that was never stopped. An existing run is never overwritten. Several
    machines: `torchrun ... -m linnet train ...`; only the first process of a run returns its result.

    Args:
        photos: Folder with one folder of photos per class, or with train/ and validation/ of such folders, or a CSV of
            path,label or path,labels.
        arch: Which network, by default mobilenetv3_small_100 (`linnet archs` lists them).
        recipe: Name of a published recipe (`linnet recipes` lists them), or a JSON file with all settings, such as the
            recipe.json of another run. The other flags change it.
        set: One setting as key=value, by its name in recipe.json: --set optimizer.lr=0.01 --set phases.2.image=192, or
            for all rows --set phases.dropout=0.2. May be repeated.
        epochs: How often every photo is seen.
        image: Side of the images in pixels.
        batch: Photos per step.
        lr: Highest learning rate, at this batch.
        seed: Another number gives another order, crops and first weights.
        workers: Processes that read photos; the result does not depend on it.
        max_bad: Share of the files that may be bad, 0 to 1; with more, nothing starts. 0.05 if not given.
        truncated: Truncated photos are not used ("quarantine"); "repair" trains on those of which 90 % of the rows can be decoded, cut to these. Never in validation and test.
        pretrained: Whose weights to start from: "efficientnet_b0.ra_in1k" (`linnet archs --pretrained`), a file, a run or a bundle.
        from_scratch: Start from random weights even where pretrained ones are known.
        head_only: Let the classifier alone learn; the rest stays as it is pretrained, which is several times faster.
        out: Folder of the run; by default runs/NETWORK, or runs/NETWORK-2 if that is there.
        resume: Folder of a run to go on with. All settings are its own.
        processes: How many processes of this machine train together, each with a GPU or its share of the cores.
    """
    flags = {name: value for name, value in locals().items() if name != "processes"}
    if processes is not None and processes != 1:
        from .launch import launch

        return launch(processes, flags)

    from .distributed import joined

    with joined() as place:
        result = train_here(place, **flags)
        return result if place.first else None


def train_here(place: Place, *, resume: Path | None, **flags: Any) -> Result:
    """What one of a run's processes does. The first alone reads settings and photos, refuses, and speaks."""
    begin = lambda: begun(place, **flags) if resume is None else resumed(resume, **flags)  # noqa: E731
    return train_in(place, *place.once(begin))


def resumed(folder: Path, *, photos: Path | None, **flags: Any) -> tuple[Path, None, Photos]:
    """The folder of the run to go on with, and its photos.

    Raises: SettingError for any other flag, or where there is no run; DataError.
    """
    from ..errors import SettingError
    from .start import photos_of_run

    if extra := [name for name, value in given_of(flags).items() if value != []]:
        raise SettingError(
            f"--{extra[0].replace('_', '-')}: a resumed run keeps its settings. Leave it out, or train anew."
        )
    return Path(folder), None, photos_of_run(Path(folder), photos and Path(photos))


def begun(
    place: Place,
    *,
    photos: Path | None,
    recipe: str | Path | None,
    set: list[str] | None,
    from_scratch: bool,
    out: Path | None,
    **flags: Any,
) -> tuple[Path, Recipe | None, Photos]:
    """A new run's folder, its recipe and its photos; without a recipe the run that this job had begun before a loss.

    Raises: SettingError, DataError, and then there is no folder.
    """
    from ..errors import SettingError
    from .distributed import check_shares
    from .named import read_recipe
    from .override import override, without_rows
    from .several import with_loss
    from .start import changed, draft_recipe, first_recipe, look_at, new_run, note_on_weights, refuse_both

    given = given_of(flags)
    # Wrong settings are refused here, before the photos are looked at or torch is imported.
    refuse_both(flags.get("pretrained"), from_scratch)
    no_weights = {"pretrained": None} if from_scratch else {}
    published = read_recipe(recipe) if recipe else None
    if published:
        settings: dict[str, Any] = {**given, **no_weights}
        chosen = changed(published, set=set, **settings)
    else:
        chosen = override(draft_recipe(from_scratch=from_scratch, **given), without_rows(set))
    root = photos or chosen.photos
    if root is None:
        raise SettingError("Which photos? Give a folder: linnet train PHOTOS; or --resume RUN to go on with a run.")
    root = Path(root).absolute()  # the run finds its photos again from wherever it is gone on with
    diagnosis = look_at(
        root, validation=chosen.validation, test=chosen.test, max_bad=chosen.max_bad, truncated=chosen.truncated
    )
    if recipe is None:
        start = first_recipe(from_scratch=from_scratch, photos=len(diagnosis.photos.train), **given)
        chosen = override(start, set)
    chosen = changed(chosen, photos=str(root), head_only=flags["head_only"], **no_weights)
    chosen = with_loss(chosen, diagnosis.photos)
    check_shares(chosen, len(diagnosis.photos.train), place.world)
    name = chosen.arch if isinstance(chosen.arch, str) else chosen.arch["name"]
    where = Path(out or Path("runs") / name)
    if before := place.begun(where):
        return before, None, diagnosis.photos
    from_nothing = from_scratch or bool(published and not published.pretrained)  # asked for, or so published
    if note := note_on_weights(chosen, from_scratch=from_nothing):
        print(note, file=sys.stderr)
    folder = new_run(where, diagnosis)
    place.begin(where, folder)
    return folder, chosen, diagnosis.photos


def given_of(flags: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in flags.items() if value is not None and value is not False}


def train_in(place: Place, folder: Path, recipe: Recipe | None, photos: Photos) -> Result:
    """A new run by `recipe`, or without one the run that is there."""
    from .launch import PARENT

    if place.first and PARENT in os.environ:  # who launched us wants to know where it is
        print(folder, flush=True)

    from .loop import run

    return run(recipe, photos, folder, resume=recipe is None, place=place)
