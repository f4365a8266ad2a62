"""Photos whose label a trained model doubts. How they are found: linnet/evaluation/labels.py."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Suspect:
    """A photo, as a position in Diagnosis.everything, that the model is confident is something else.

    `probability` is the model's for `predicted`, `own` its for `given`; `seen`: the model has learnt from this very photo and
    label, so that it agrees more than it should, and a doubt weighs all the more.
    """

    position: int
    given: str
    predicted: str
    probability: float
    own: float
    seen: bool


@dataclass(frozen=True)
class LabelCheck:
    """What a model says of the labels: the suspects, the most doubtful first, out of so many photos asked.

    Of `held_out` photos, which it had not learnt from, it got `right` right: the fewer, the more of the doubts are its own
    mistakes.
    """

    model: str
    suspects: tuple[Suspect, ...]
    held_out: int
    right: int
    seen: int
