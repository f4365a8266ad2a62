"""Labels that a trained model doubts: confident learning (Northcutt et al. 2021)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..data.suspect import LabelCheck, Suspect

if TYPE_CHECKING:
    import numpy as np

    from ..data.source import Photo, Photos


def check_labels(
    model: Any, photos: Photos, *, name: str, trained_on: frozenset[str] = frozenset(), workers: int = 2
) -> LabelCheck:
    """Ask a Model for its answer on every photo, and list those where it is confident of another label.

    Args:
        name: what the model is called in the result.
        trained_on: digests of the photos it has learnt from; where none are known, those of train are taken for them.

    Raises: what `askable` raises.
    """
    import numpy as np
    import torch

    from ..data.leaks import everything
    from .evaluate import predict_logits
    from .progress import shown_progress

    chosen, members = askable(model, photos), everything(photos)
    learnt = trained_on or {photo.digest for photo in photos.train}
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with shown_progress(len(chosen), "asking the model") as progress:
        answers = predict_logits(
            model.net(), chosen, model.preprocess, workers=workers, device=device, progress=progress
        )
    shares = probabilities(answers.logits)
    seen = np.array([members[n].digest in learnt for n in answers.index], bool)
    suspects = []
    for part in (False, True):  # apart: on photos it has learnt, a model is surer of the given label
        rows = np.flatnonzero(seen == part)
        for row, other in doubted(shares[rows], answers.labels[rows]):
            n, given = rows[row], answers.labels[rows[row]]
            suspects.append(
                Suspect(
                    position=int(answers.index[n]),
                    given=model.classes[given],
                    predicted=model.classes[other],
                    probability=round(float(shares[n, other]), 4),
                    own=round(float(shares[n, given]), 4),
                    seen=part,
                )
            )
    suspects.sort(key=lambda one: (one.own - one.probability, one.position))
    right = (answers.logits.argmax(1) == answers.labels)[~seen]
    return LabelCheck(name, tuple(suspects), int((~seen).sum()), int(right.sum()), int(seen.sum()))


def askable(model: Any, photos: Photos) -> tuple[Photo, ...]:
    """All the photos, labelled by the model's classes.

    Raises: DataError for classes that the model does not know, and for photos with several labels each.
    """
    from ..errors import DataError
    from .evaluate import photos_of

    if photos.several:
        raise DataError(
            f"{photos.root}: suspicious labels are found where each photo has one label; these have several. Leave --model out."
        )
    return photos_of(photos, "all", model.classes)


def doubted(shares: np.ndarray, labels: np.ndarray) -> list[tuple[int, int]]:
    """(row, other class) of each row whose label the model confidently disagrees with.

    A class is confident where its probability reaches its threshold: the mean that the model gives this class on photos
    labelled so. The most probable of a row's confident classes counts. It is a doubt when it is not the label and no other
    class is more probable: the paper's joint has also rows whose first answer is no confident class.

    Args:
        shares: probabilities [n, classes]. labels: positions of classes [n].

    Source: Northcutt, Jiang, Chuang 2021, "Confident Learning", equations 1 and 2 (the off-diagonal of the confident joint).
    """
    import numpy as np

    if not len(labels):
        return []
    own = shares[np.arange(len(labels)), labels]
    counts = np.bincount(labels, minlength=shares.shape[1])
    sums = np.bincount(labels, weights=own, minlength=shares.shape[1])
    thresholds = np.where(
        counts > 0, sums / np.maximum(counts, 1), np.inf
    )  # without photos nothing is known of a class
    confident = np.where(shares >= thresholds, shares, -1.0)
    other = confident.argmax(1)
    rows = np.flatnonzero((confident.max(1) >= 0) & (other != labels) & (shares.argmax(1) == other))
    return [(int(row), int(other[row])) for row in rows]


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Softmax in float64."""
    import numpy as np

    shifted = logits.astype(np.float64)
    shifted = np.exp(shifted - shifted.max(1, keepdims=True))
    return shifted / shifted.sum(1, keepdims=True)


def model_and_photos(model: Path, photos: Path) -> tuple[Any, Photos, frozenset[str]]:
    """The model, the photos split as its training split them, and the digests of those it has learnt from.

    Raises: what `askable` raises, before anything is decoded.
    """
    from ..data.source import find_photos
    from ..weights.model import read_model
    from .learnt import training_of

    found = read_model(model)
    shares, trained_on = training_of(model, found.facts)
    split = find_photos(photos, **shares)
    askable(found, split)
    return found, split, trained_on
