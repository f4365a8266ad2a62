"""What a model said of each photo, by the photo's content: so that two models can be compared pair by pair."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import DataError

if TYPE_CHECKING:
    from ..data.source import Photos


class Answer(NamedTuple):
    """Class names: what the photo is, and what the model took it for."""

    label: str
    predicted: str
    path: str


@dataclass(frozen=True)
class Answered:
    """A model's answers on one split by digest of the photo, and what its reader must know."""

    split: str
    by_digest: Mapping[str, Answer]
    notes: tuple[str, ...] = ()


def stored_answers(run: Path, split: str) -> Answered | None:
    """Those that a run wrote down on this split; none where it did not, or not in a form that is understood.

    predictions.json names photos by path, data.json says which content each path had.
    """
    try:
        said, data = (json.loads((run / name).read_bytes()) for name in ("predictions.json", "data.json"))
        if said["split"] != split:
            return None
        names = said["classes"]
        digests = {path: digest for path, _label, digest in data["files"][split]}
        found = {
            digests[item["path"]]: Answer(names[item["label"]], names[item["predicted"]], item["path"])
            for item in said["items"]
        }
    except (OSError, ValueError, TypeError, LookupError):
        return None
    return Answered(split, found, tuple(map(str, said.get("notes", ())))) if found else None


def fresh_answers(model: Path, photos: Photos, split: str, *, batch: int, workers: int) -> Answered:
    """Those that the model of a run or a bundle gives now.

    Raises: what reading and evaluating a model raise; DataError for photos with several labels.
    """
    from ..data.listing import shown_below
    from ..weights.model import read_model
    from .evaluate import evaluate_model, photos_of
    from .learnt import training_of

    found = read_model(model)
    learnt = training_of(model, found.facts)[1]
    told: Any = evaluate_model(
        found, photos, name=str(model), split=split, batch=batch, workers=workers, trained_on=learnt
    )
    if told.labels.ndim != 1:
        raise DataError(
            "These photos have several labels each; two models are compared on photos with one. Give others."
        )
    members = photos_of(photos, split, found.classes)
    digests = {shown_below(photo.path, photos.root): photo.digest for photo in members}
    answers = {
        digests[path]: Answer(found.classes[label], found.classes[guess], path)
        for path, label, guess in zip(told.paths, told.labels.tolist(), told.logits.argmax(1).tolist(), strict=True)
    }
    return Answered(split, answers, told.notes)


def shares_of(model: Path) -> dict[str, float]:
    """How the model's run split its photos, for find_photos; nothing where it does not say."""
    from .learnt import training_of

    try:
        facts = json.loads((model / "bundle.json").read_bytes()).get("facts") or {}
    except (OSError, ValueError, AttributeError):
        facts = {}
    return training_of(model, facts)[0]
