"""The photos that int8 is made with: some of train to measure ranges on, those of validation to decide by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...data.loader import eval_batches
from ...data.preprocess import Preprocess
from ...data.source import Photo, packed_side
from ...errors import DataError
from ...evaluation.progress import shown_progress
from ..certificate import BATCH, name_in, set_digest


@dataclass(frozen=True, eq=False)
class Pictures:
    """Photos as evaluation sees them: pixels uint8 [n, image, image, 3], labels int64 [n] or multi-hot [n, classes].

    `sha256` is over `sha256sum`'s listing of the files, as in a certificate.
    """

    split: str
    pixels: np.ndarray
    labels: np.ndarray
    sha256: str
    packed: int | None  # the short side to which they had been resized, if they had
    not_read: int

    def __len__(self) -> int:
        return len(self.pixels)

    def to_json(self) -> dict[str, Any]:
        packed = {} if self.packed is None else {"packed": self.packed}
        return {"split": self.split, "n": len(self), "sha256": self.sha256, **packed, "not_read": self.not_read}


def balanced(photos: Sequence[Photo], n: int) -> tuple[Photo, ...]:
    """At most n of the photos, as many of each class as there are, chosen by their content: the same each time.

    Classes take turns, each giving the photo whose digest comes next; a picture that lies there twice counts once. Of
    photos with several labels each, a photo's turn is that of its first label.
    """
    found = {photo.digest: photo for photo in reversed(photos)}
    turns: dict[int, int] = {}
    order = []
    for digest in sorted(found):
        first = next(iter(found[digest].labels), -1)
        turns[first] = turns.get(first, 0) + 1
        order.append((turns[first], first, digest))
    return tuple(found[digest] for _, _, digest in sorted(order)[:n])


def read_pictures(
    photos: Sequence[Photo], preprocess: Preprocess, *, split: str, root: Path, workers: int, text: str
) -> Pictures:
    """Decode them all, prepared as for evaluation; those that cannot be read are counted.

    Raises: DataError when none can be read.
    """
    pixels, labels, kept = [], [], []
    with shown_progress(len(photos), text) as progress:
        for batch in eval_batches(photos, preprocess, batch=BATCH, workers=workers if len(photos) > BATCH else 0):
            pixels.append(batch.images.numpy())
            labels.append(batch.labels.numpy())
            kept += [photos[i] for i in batch.index.tolist()]
            if progress:
                progress(len(batch.index) + len(batch.bad))
    if not kept:
        raise DataError(
            f"{root}: none of the {len(photos)} {split} photos can be read, so int8 cannot be made. Give others."
        )
    names = [name_in(photo.path, root) for photo in kept]
    return Pictures(
        split, np.concatenate([one for one in pixels if len(one)]), np.concatenate([one for one in labels if len(one)]),
        set_digest(kept, names), packed_side(kept), len(photos) - len(kept),
    )  # fmt: skip
