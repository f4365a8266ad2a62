"""The verb `predict`: classify pictures with a bundle. No torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .classifier import Prediction


@dataclass(frozen=True)
class Predictions:
    """One Prediction per picture, in the order given; those that could not be read have an `error`.

    As text it is a table of the others; `errors` are lines that name what is missing in it.
    """

    predictions: tuple[Prediction, ...]

    def __iter__(self) -> Iterator[Prediction]:
        return iter(self.predictions)

    def __len__(self) -> int:
        return len(self.predictions)

    def __getitem__(self, place: int) -> Prediction:
        return self.predictions[place]

    def __str__(self) -> str:
        from .classifier import prediction_lines

        return "\n".join(prediction_lines(self.predictions))

    @property
    def errors(self) -> tuple[str, ...]:
        return tuple(f"{one.path}: {one.error}" for one in self.predictions if one.error)

    def to_json(self) -> list[dict[str, Any]]:
        return [one.to_json() for one in self.predictions]


def predict(
    bundle: Path, images: list[Path], *, top: int = 5, threads: int = 0, runtime: str | None = None
) -> Predictions:
    """Classify pictures with a bundle.

    Args:
        bundle: The bundle's folder, NAME.linnet, or its zip, NAME.linnet.zip.
        images: Picture files, or folders of them.
        top: How many classes to show for each.
        threads: Threads to compute with; 0 means one per core.
        runtime: Which of the bundle's runtimes to use; by default the first that is installed.
    """
    from ..errors import DataError, SettingError
    from .bundle import read_bundle
    from .classifier import Classifier, picture_files

    if top < 1 or threads < 0:
        raise SettingError(f"top is {top} and threads {threads}; allowed are top 1 or more, threads 0 or more.")
    files = picture_files([images] if isinstance(images, str | Path) else images)
    if not files:
        raise DataError("No pictures are given. Name files, or folders of them.")
    folder = bundle_in(Path(bundle))
    read_bundle(folder)
    found = tuple(Classifier(folder, threads=threads, runtime=runtime or "").predict_all(files, top=top))
    if all(one.error for one in found):
        raise DataError(
            f"{found[0].path}: {found[0].error}" + (f" (none of {len(found)} can be read)" if found[1:] else "")
        )
    return Predictions(found)


def bundle_in(folder: Path) -> Path:
    """The bundle itself, or the only one in a run's folder; a zip where there is no folder.

    Raises: SettingError for a run that has none, or several.
    """
    from ..errors import SettingError
    from .manifest import MANIFEST

    if (folder / MANIFEST).exists() or not folder.is_dir():
        return folder
    inside: Sequence[Path] = sorted(path.parent for path in folder.glob(f"[!.]*/{MANIFEST}"))
    inside = inside or sorted(folder.glob("[!.]*.linnet.zip"))
    if len(inside) > 1:
        raise SettingError(f"{folder}: has several bundles; name one of {', '.join(path.name for path in inside)}.")
    if not inside and (folder / "best.safetensors").is_file():
        raise SettingError(f"{folder}: is a run that has no bundle yet. Make one with: linnet export {folder}")
    return inside[0] if inside else folder
