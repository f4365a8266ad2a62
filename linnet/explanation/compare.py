"""The verb `compare`: two models on the same photos, with a paired test, and a page that shows where they differ."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .side import Side
from .text import duration, magnitude, milliseconds, number, percent, size

if TYPE_CHECKING:
    from ..evaluation.answers import Answer, Answered
    from ..evaluation.intervals import Interval
    from ..evaluation.paired import Paired

CHANCE = 0.05  # a p below it is called a difference


@dataclass(frozen=True)
class ClassRow:
    """The photos of one class by who has them right."""

    name: str
    n: int
    only_first: int
    only_second: int
    neither: int


@dataclass(frozen=True)
class Disagreement:
    """A photo that the two call differently: what it is, and what each calls it."""

    path: str
    label: str
    first: str
    second: str


@dataclass(frozen=True)
class Comparison:
    """`paired.difference` is B's accuracy less A's, as a share."""

    first: Side
    second: Side
    split: str
    accuracies: tuple[float, float]
    intervals: tuple[Interval, Interval]  # 95 %, of each by itself
    paired: Paired
    classes: tuple[ClassRow, ...]
    disagreements: tuple[Disagreement, ...]
    notes: tuple[str, ...]
    page: Path | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "first": self.first.to_json(),
            "second": self.second.to_json(),
            "split": self.split,
            "accuracies": list(self.accuracies),
            "intervals": [list(one) for one in self.intervals],
            "paired": self.paired.to_json(),
            "classes": [one.__dict__ for one in self.classes],
            "disagreements": [one.__dict__ for one in self.disagreements],
            "notes": list(self.notes),
            "page": str(self.page) if self.page else None,
        }

    @property
    def verdict(self) -> str:
        """What the test says, in a sentence."""
        p, points = self.paired, 100 * self.paired.difference
        low, high = (100 * end for end in p.interval)
        figures = f"95 % interval {low:+.1f} to {high:+.1f}, McNemar's exact test p = {shown_p(p.p)}"
        if p.p >= CHANCE:
            said = "No difference can be told" if points else "They are right equally often"
            return f"{said} with these {p.n:,} photos: B has {points:+.1f} points ({figures})."
        return f"B is {abs(points):.1f} points {'better' if points > 0 else 'worse'} than A ({figures})."

    def __str__(self) -> str:
        p = self.paired
        lines = [
            f"{letter}  {side.name}  ({side.arch})"
            for letter, side in zip("AB", (self.first, self.second), strict=True)
        ]
        lines += ["", f"{'':20}{'A':>12}{'B':>12}   {p.n:,} {self.split} photos"]
        lines += [f"{name:20}{a:>12}{b:>12}" for name, a, b in self.figures()]
        lines += ["", self.verdict, ""]
        lines.append(
            f"right: both {p.both:,}, only A {p.only_first:,}, only B {p.only_second:,}, neither {p.neither:,}"
        )
        wide = max(len("class"), *(len(one.name) for one in self.classes))
        lines += ["", f"{'class':{wide}}  photos  only A right  only B right  neither"]
        lines += [
            f"{one.name:{wide}}  {one.n:6,}  {one.only_first:12,}  {one.only_second:12,}  {one.neither:7,}"
            for one in self.classes
        ]
        lines += ["", *self.notes] if self.notes else []
        lines += ["", f"page   {self.page}"] if self.page else []
        return "\n".join(lines).replace("\u00a0", " ")

    def figures(self) -> list[tuple[str, str, str]]:
        """(what, A's, B's), of what is known of one of them at least."""
        a, b = self.first, self.second
        accuracy_a, accuracy_b = map(percent, self.accuracies)
        return [
            ("accuracy", accuracy_a, accuracy_b),
            *(
                (name, said(first) if first is not None else "–", said(second) if second is not None else "–")
                for name, said, first, second in (
                    ("image, px", number, a.image, b.image),
                    ("parameters", magnitude, a.params, b.params),
                    ("multiply-adds", magnitude, a.madds, b.madds),
                    ("size of the file", size, a.size_bytes, b.size_bytes),
                    ("latency", milliseconds, a.latency and a.latency.median_ms, b.latency and b.latency.median_ms),
                    ("time to train", duration, a.train_seconds, b.train_seconds),
                )
                if first is not None or second is not None
            ),
        ]


def compare(
    first: Path,
    second: Path,
    *,
    split: str = "test",
    photos: Path | None = None,
    out: Path | None = None,
    batch: int = 64,
    workers: int = 2,
) -> Comparison:
    """Compare two models on the same photos: a paired test, a table by class, costs and curves, and a page of it all.

    What the runs wrote down is used where both did so for the same photos; else they are evaluated now.

    Args:
        first: The folder of a run or a bundle: A.
        second: Another one: B.
        split: On which photos: test, validation, train, or all.
        photos: Where they are; by default those of the first model's recipe, or the second's.
        out: The page to write, a new HTML file; by default compare-A-B.html here.
        batch: Photos per step, if they have to be evaluated.
        workers: Processes that decode photos; 0 decodes in this one.

    Raises: SettingError for a page that is there already, and where the photos are not known; DataError for models of
    other classes.
    """
    from dataclasses import replace

    from ..errors import SettingError
    from ..evaluation.evaluate import check_split
    from ..files import free_file, write_text
    from .compare_page import render_comparison
    from .side import read_side

    check_split(split)
    first, second, photos = Path(first), Path(second), photos and Path(photos)
    if out is not None and Path(out).exists():
        raise SettingError(f"{out}: is there already, and nothing is overwritten. Give another name with --out.")
    sides = read_side(first), read_side(second)
    answered, root = answers_of(first, second, split, photos, batch, workers)
    found = compared(sides, answered)
    page = Path(out) if out else free_file(Path(f"compare-{plain_name(first)}-{plain_name(second)}.html"))
    write_text(page, render_comparison(found, root))
    return replace(found, page=page)


def compared(sides: tuple[Side, Side], answered: tuple[Answered, Answered]) -> Comparison:
    """The comparison of two sets of answers; only photos that both could read count.

    Raises: DataError where they do not agree on what the photos are, or share none.
    """
    import numpy as np

    from ..errors import DataError
    from ..evaluation.intervals import wilson
    from ..evaluation.paired import compare_answers

    one, other = (side.by_digest for side in answered)
    shared = sorted(one.keys() & other.keys(), key=lambda digest: (one[digest].path, digest))
    if not shared:
        raise DataError("The two have no photo in common. Give the photos to compare them on with --photos.")
    for digest in shared:
        if one[digest].label != other[digest].label:
            raise DataError(
                f"{one[digest].path}: {one[digest].label!r} for the first model, {other[digest].label!r} for the second."
                " Two models are compared on one set of labels: give it with --photos."
            )
    right = [np.array([side[d].predicted == side[d].label for d in shared]) for side in (one, other)]
    labels = np.array([one[d].label for d in shared], dtype=object)
    rows = []
    for name in sorted(set(labels)):
        mine, theirs = (answers[labels == name] for answers in right)
        rows.append(
            ClassRow(
                name, len(mine), int((mine & ~theirs).sum()), int((~mine & theirs).sum()), int((~mine & ~theirs).sum())
            )
        )
    notes = [f"{letter}: {note}" for letter, side in zip("AB", answered, strict=True) for note in side.notes]
    alone = len(one.keys() ^ other.keys())
    if alone:
        notes.append(f"{alone:,} photos were answered by one of the two alone and do not count.")
    counts = [int(answers.sum()) for answers in right]
    return Comparison(
        first=sides[0],
        second=sides[1],
        split=answered[0].split,
        accuracies=(counts[0] / len(shared), counts[1] / len(shared)),
        intervals=(wilson(counts[0], len(shared)), wilson(counts[1], len(shared))),
        paired=compare_answers(right[0], right[1]),
        classes=tuple(sorted(rows, key=lambda row: (-row.only_first - row.only_second, row.name))),
        disagreements=tuple(disagreements([one[d] for d in shared], [other[d] for d in shared])),
        notes=tuple(notes),
    )


def disagreements(one: list[Answer], other: list[Answer]) -> Iterator[Disagreement]:
    for a, b in zip(one, other, strict=True):
        if a.predicted != b.predicted:
            yield Disagreement(a.path, a.label, a.predicted, b.predicted)


def answers_of(
    first: Path, second: Path, split: str, photos: Path | None, batch: int, workers: int
) -> tuple[tuple[Answered, Answered], Path]:
    """Both models' answers on the same photos, as they wrote them down or as they give them now; and the photos' root."""
    from ..data.source import find_photos
    from ..evaluation.answers import fresh_answers, shares_of, stored_answers

    stored = stored_answers(first, split), stored_answers(second, split)
    root = photos_root(first, second, photos)
    if photos is None and stored[0] and stored[1] and stored[0].by_digest.keys() == stored[1].by_digest.keys():
        return (stored[0], stored[1]), (root.parent if root and root.is_file() else root) or Path()
    if root is None:
        raise no_photos(first)
    found = find_photos(root, **shares_of(first))
    members = found.splits[split] if split != "all" else [photo for part in found.splits.values() for photo in part]
    there = {photo.digest: ";".join(found.classes[label] for label in photo.labels) for photo in members}

    def answers(model: Path, known: Answered | None) -> Answered:
        if known and {digest: answer.label for digest, answer in known.by_digest.items()} == there:
            return known  # of the same photos by the same labels: those given may say something else of them
        return fresh_answers(model, found, split, batch=batch, workers=workers)

    return (answers(first, stored[0]), answers(second, stored[1])), found.root


def photos_root(first: Path, second: Path, photos: Path | None) -> Path | None:
    """Where the photos are: as given, or as one of the two has recorded it and they still are."""
    from .folder import read_run
    from .side import recorded_photos

    recorded = (recorded_photos(read_run(path)) for path in (first, second))
    return photos or next((place for place in recorded if place and place.exists()), None)


def no_photos(first: Path) -> Exception:
    from ..errors import SettingError

    return SettingError(
        f"{first}: its answers on these photos were not kept, and where the photos are is not known any more. Say it:"
        " --photos FOLDER"
    )


def shown_p(p: float) -> str:
    """
    >>> shown_p(0.0391), shown_p(0.6171), shown_p(1e-7)
    ('0.039', '0.62', 'less than 0.0001')
    """
    return "less than 0.0001" if p < 1e-4 else f"{p:.2g}"


def plain_name(path: Path) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", path.resolve().name.removesuffix(".linnet")).strip("-.")[:40] or "model"
