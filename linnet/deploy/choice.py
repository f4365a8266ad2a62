"""What int8 is chosen by, and what is said of the choice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import DataError, SettingError
from ..evaluation.evaluate import photos_of
from .export import proof_photos
from .int8.calibration import Pictures, balanced, read_pictures
from .int8.gate import limit_of, verdict_of
from .runtime.known import way

if TYPE_CHECKING:
    from ..data.source import Photos
    from ..weights.model import Model


CALIBRATION = 300  # training photos, where nothing else is said
MEMORY = 2**30  # bytes that the photos of either kind may take, all read at once: they are used again and again


@dataclass(frozen=True, eq=False)
class Choice:
    """Calibration photos (of train), validation photos to judge by, and the limit in points of accuracy (see `limit_of`)."""

    calibration: Pictures
    validation: Pictures
    max_drop: float | None


def read_choice(
    model: Model,
    photos: Photos,
    *,
    calibration: int,
    most: int,
    max_drop: float | None,
    workers: int,
    trained_on: frozenset[str] = frozenset(),
) -> Choice:
    """Read `calibration` of the training photos and at most `most` validation photos; the test photos are not looked at.

    Of the validation photos those that the model was `trained_on` are left out: it is surer of them than of others.

    Raises: SettingError for numbers that cannot be, DataError without validation photos.
    """
    limit_of(max_drop, 1)
    room = MEMORY // (3 * 4 * model.preprocess.image**2)  # photos as float32
    if calibration == CALIBRATION:  # nobody asked for so many
        calibration = min(calibration, room)
    if not 1 <= calibration <= room:
        raise SettingError(
            f"calibration is {calibration:,}; give 1 to {room:,} training photos at {model.preprocess.image} px, such as 300."
        )
    if not photos.validation:
        raise DataError(
            f"{photos.root}: there are no validation photos, and int8 is chosen by them. Give photos that have some, or"
            " take float32 or bf16."
        )
    train = balanced(photos_of(photos, "train", model.classes), calibration)
    _, judged = proof_photos(photos, "validation", model.classes, min(most, 4 * room), trained_on)
    read = {
        split: read_pictures(chosen, model.preprocess, split=split, root=photos.root, workers=workers, text=text)
        for split, chosen, text in (
            ("train", train, "reading to calibrate"),
            ("validation", judged, "reading to judge"),
        )
    }
    return Choice(read["train"], read["validation"], max_drop)


def int8_notes(certificates: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """A line for each runtime in int8: what the gate found, on how many photos, and the layers that stayed in float."""
    notes = []
    for one in certificates:
        if "gate" not in one:
            continue
        gate, layers = one["gate"], [layer["layer"] for layer in one["float_layers"]]
        kept = f"; {len(layers)} layer(s) in float: {', '.join(layers)}" if layers else "; no layer in float"
        notes.append(
            f"{way(one['runtime'], one['precision'])}: on the {gate['split']} photos it {verdict_of(gate)}"
            f"{kept}; calibrated on {one['calibration']['n']:,} training photos"
        )
    return tuple(notes)
