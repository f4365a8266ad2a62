"""The verb `preview`: what the network will see in each phase, on a page, before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Preview:
    """The page, and a line about each phase."""

    page: Path
    phases: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return {"page": str(self.page), "phases": list(self.phases)}

    def __str__(self) -> str:
        return "\n".join([*self.phases, "", f"page   {self.page}"])


def preview(
    recipe: str, photos: Path | None = None, *, set: Sequence[str] = (), pictures: int = 12, out: Path | None = None
) -> Preview:
    """Show what a recipe does to your photos: the first batch of each phase, as the training would make it.

    The page is one HTML file with all pictures in it: crops, RandAugment, mixup and all the rest, each beside its photo.

    Args:
        recipe: A recipe's name (`linnet recipes` lists them) or JSON file, such as a run's recipe.json.
        photos: The folder of photos, or a CSV; by default those that the recipe names.
        set: Change a setting of the recipe, key=value; may be said several times.
        pictures: How many of each batch to show, 1 to 100.
        out: The page to write, a new HTML file; by default preview-NAME.html here.

    Raises: SettingError for a wrong recipe, and for a page that is there already; DataError for photos that cannot be
    trained on.
    """
    from .errors import SettingError
    from .explanation.preview_page import Shown, render_preview
    from .files import free_file, write_text
    from .training.named import read_recipe
    from .training.override import override
    from .training.several import with_loss
    from .training.start import look_at

    if not 1 <= pictures <= 100:
        raise SettingError(f"--pictures is {pictures}; allowed are 1 to 100.")
    if out is not None and Path(out).exists():
        raise SettingError(f"{out}: is there already, and nothing is overwritten. Give another name with --out.")
    chosen = override(read_recipe(recipe), set)
    root = photos or chosen.photos
    if root is None:
        raise SettingError("Which photos? Give a folder: linnet preview RECIPE PHOTOS.")
    # Looked at and answered for as a training does: a photo that cannot be decoded is in none of its batches.
    shares = {"validation": chosen.validation, "test": chosen.test}
    found = look_at(Path(root), **shares, max_bad=chosen.max_bad, truncated=chosen.truncated, alike=False).photos
    chosen = with_loss(chosen, found)

    from .training.preview import first_batches  # torch: only now that nothing can be wrong any more

    shown, lines = [], []
    for number, view in enumerate(first_batches(chosen, found, most=pictures), 1):
        first, last = view.epochs
        epochs = f"epoch {first}" if first == last else f"epochs {first} to {last}"
        title = f"Phase {number}: {epochs}, {view.phase.image} px"
        paths = [photo.path for photo in view.photos]
        shown.append(Shown(title, view.batch, view.pictures, paths, view.targets, len(view.bad)))
        lines.append(f"{title}, batch {view.batch}")
    name = Path(recipe).stem if str(recipe).endswith(".json") else recipe
    page = Path(out) if out else free_file(Path(f"preview-{name}.html"))
    text = render_preview(chosen.to_json(), shown, classes=found.classes, root=found.root, photos=len(found.train))
    write_text(page, text)
    return Preview(page, tuple(lines))
