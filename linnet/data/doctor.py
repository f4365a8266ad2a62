"""The data doctor: looks at every photo once and says what is wrong, what is odd and what it did about it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from ..errors import DataError

if TYPE_CHECKING:
    from .balance import Balance
    from .inspector import Look
    from .near import Alike
    from .preprocess import Preprocess
    from .remarks import Remark
    from .source import Finding, Photo, Photos
    from .suspect import LabelCheck
    from .tone import Tones

Truncated = Literal["quarantine", "repair"]  # repair: of train, what is nearly whole is used in part, see mend.py
SHOWN = 20  # bad files named in a message; all of them stand in the JSON
PAIRS = 10  # look-alikes named in the text; likewise


@dataclass(frozen=True)
class Diagnosis:
    """What was found. `photos` holds the good ones only.

    `shapes`, `kinds`, and the positions in `alike`, `tones` and `labels` go by the order of `everything`.
    """

    photos: Photos
    findings: tuple[Finding, ...]
    counts: dict[str, dict[str, int]]  # split -> class -> good photos
    bad: dict[str, int]  # class -> bad files
    sizes: dict[str, dict[str, int]]  # width and height as seen upright -> min, median, max in pixels
    problems: tuple[str, ...]  # what would stop a training
    shapes: tuple[tuple[int, int], ...]  # width and height of each
    kinds: tuple[str, ...]  # the format of each, by content
    alike: Alike
    tones: Tones
    preprocess: Preprocess  # what the network would see of them
    labels: LabelCheck | None = None  # what a trained model says of the labels

    @property
    def everything(self) -> tuple[Photo, ...]:
        """The good photos, split after split."""
        from .leaks import everything

        return everything(self.photos)

    @property
    def bad_share(self) -> float:
        """Bad files among those that should be pictures."""
        bad = len(self.quarantined())
        return bad / max(1, bad + len(self.shapes))

    @property
    def imbalance(self) -> float:
        """Photos of the largest class in train for one of the smallest."""
        return self.balance.ratio if self.balance else 0.0

    @property
    def balance(self) -> Balance | None:
        """How evenly the photos of train are spread over the classes."""
        from .balance import balance

        return balance(self.counts["train"])

    @property
    def remarks(self) -> tuple[Remark, ...]:
        """What is worth knowing of the photos as a whole."""
        from .remarks import remarks

        return remarks(self)

    def quarantined(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.verdict == "quarantined"]

    def to_json(self) -> dict[str, Any]:
        from .facts import facts
        from .listing import shown_below

        photos = self.photos
        return {
            "schema": 1,
            "root": shown(photos.root),
            "classes": list(photos.classes),
            "counts": self.counts,
            "bad": self.bad,
            "bad_share": round(self.bad_share, 6),
            "imbalance": round(self.imbalance, 3),
            "sizes": self.sizes,
            "problems": list(self.problems),
            "remarks": [asdict(remark) for remark in self.remarks],
            **facts(self),
            "findings": [asdict(finding) for finding in self.findings],
            "files": {
                split: [
                    [
                        shown_below(p.path, photos.root),
                        p.label if p.multi_hot is None else p.labels,
                        p.digest,
                    ]
                    for p in members
                ]
                for split, members in photos.splits.items()
            },
        }

    def __str__(self) -> str:
        return self.to_text().rstrip("\n")

    def to_text(self) -> str:
        """The findings for a person: a table of the classes, then every bad file, then the rest by kind."""
        classes, splits = self.photos.classes, list(self.counts)
        wide = max([len(name) for name in classes] + [len("class")])
        lines = [f"{shown(self.photos.root)}: {len(classes)} classes", ""]
        lines.append("  ".join([f"{'class':{wide}}", *(f"{split:>10}" for split in splits), f"{'bad':>5}"]))
        for name in classes:
            numbers = [f"{self.counts[split][name]:>10,}" for split in splits]
            lines.append("  ".join([f"{name:{wide}}", *numbers, f"{self.bad[name]:>5,}"]))
        totals = [f"{len(self.photos.splits[split]):>10,}" for split in splits]
        lines.append("  ".join([f"{'all':{wide}}", *totals, f"{len(self.quarantined()):>5,}"]))
        if self.photos.several:
            bare = sum(not photo.labels for photo in self.everything)
            lines += ["", f"A photo may have several labels; {bare:,} have none."]
        if self.sizes:
            width, height = self.sizes["width"], self.sizes["height"]
            lines += ["", f"Sizes: {width['min']} to {width['max']} wide (median {width['median']}),"]
            lines[-1] += f" {height['min']} to {height['max']} high (median {height['median']}) pixels."
        lines += [line for remark in self.remarks for line in ("", *_wrapped(str(remark)))]
        lines += self._pairs()
        for title, verdict in (
            ("Bad files, not used", "quarantined"),
            ("Repaired, used in part", "repaired"),
            ("Left out", "left out"),
        ):
            found = [finding for finding in self.findings if finding.verdict == verdict]
            if found:
                lines += ["", f"{title} ({len(found):,}):", *(f"  {f.path}: {f.reason}" for f in found)]
        for title, verdict in (("Used, but noticed", "note"), ("Passed over", "ignored")):
            found = [finding for finding in self.findings if finding.verdict == verdict]
            if found:
                lines += ["", f"{title} ({len(found):,}):"]
                for reason, n in Counter(finding.reason for finding in found).most_common():
                    first = next(finding.path for finding in found if finding.reason == reason)
                    lines.append(f"  {n:,} x {reason} ({first}{', ...' if n > 1 else ''})")
        lines += ["", *(f"Problem: {problem}" for problem in self.problems)]
        if not self.problems:
            lines.append("Nothing stands against training with these photos.")
        return "\n".join(lines) + "\n"

    def _pairs(self) -> list[str]:
        """The look-alikes that do harm: those in two splits or of two labels; at most ten, the worst first."""
        from .leaks import ordered, split_names
        from .listing import shown_below

        splits, members = split_names(self.photos), self.everything
        lines = []
        for pair in ordered(self.photos, self.alike):
            one, other = members[pair.first], members[pair.second]
            if splits[pair.first] == splits[pair.second] and one.labels == other.labels:
                continue
            said = [
                f"{shown_below(photo.path, self.photos.root)}"
                f" ({splits[n]}, {';'.join(self.photos.classes[label] for label in photo.labels) or 'no label'})"
                for n, photo in ((pair.first, one), (pair.second, other))
            ]
            lines.append(f"  {said[0]} looks like {said[1]}")
        if not lines:
            return []
        more = [f"  ... and {len(lines) - PAIRS:,} more"] * (len(lines) > PAIRS)
        title = f"Look-alikes in two splits or of two labels ({len(lines):,}; --out FOLDER shows the pictures):"
        return ["", title, *lines[:PAIRS], *more]


def examine(
    root_or_photos: str | os.PathLike | Photos,
    *,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    max_bad: float = 0.05,
    alike: bool = True,
    truncated: Truncated = "quarantine",
) -> Diagnosis:
    """Decode every photo once, in processes of its own, and keep the good ones. Without `alike` that is all, see `diagnose`.

    Raises:
        DataError: nothing to train on; more than the share `max_bad` of the files are bad; or a class has no good ones.
    """
    diagnosis = diagnose(root_or_photos, workers=workers, progress=progress, alike=alike, truncated=truncated)
    stop_if_bad(diagnosis, max_bad)
    return diagnosis


def stop_if_bad(diagnosis: Diagnosis, max_bad: float) -> None:
    """Raises: DataError where more than the share `max_bad` of the files are bad, or there is a problem."""
    problems = list(diagnosis.problems)
    bad = diagnosis.quarantined()
    if diagnosis.bad_share > max_bad:
        problems.append(
            f"{diagnosis.bad_share:.1%} of the files are bad (allowed: {max_bad:.1%}; --max-bad allows more)"
        )
    if not problems:
        return
    files = "".join(f"\n  {finding.path}: {finding.reason}" for finding in bad[:SHOWN])
    more = f"\n  ... and {len(bad) - SHOWN} more; `linnet doctor` lists all" if len(bad) > SHOWN else ""
    root = shown(diagnosis.photos.root)
    remedy = f" Mend or remove these files:{files}{more}" if bad else ""
    raise DataError(f"{root} cannot be trained on: {'; '.join(problems)}.{remedy}")


def shown(path: str | os.PathLike) -> str:
    from .image import shown_name

    return shown_name(path)


def diagnose(
    root_or_photos: str | os.PathLike | Photos,
    *,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    preprocess: Preprocess | None = None,
    alike: bool = True,
    truncated: Truncated = "quarantine",
) -> Diagnosis:
    """Decode every photo once and say what was found, however bad.

    Args:
        preprocess: what the network will see of them.
        alike: look for look-alikes and odd tones; who only needs the good photos, such as a run that goes on, does not.
        truncated: "repair" uses the rows that are there of a truncated photo of train, where it is nearly whole.
    """
    from .inspector import inspect
    from .listing import shown_below
    from .near import Alike
    from .preprocess import Preprocess
    from .source import Finding, Photos, find_photos
    from .tone import Tones

    photos = root_or_photos if isinstance(root_or_photos, Photos) else find_photos(root_or_photos)
    everything = [photo for members in photos.splits.values() for photo in members]
    looks = inspect([photo.packed or os.fspath(photo.path) for photo in everything], workers=workers, progress=progress)
    if truncated == "repair":
        photos, looks = _mended(photos, looks, workers)
        everything = [photo for members in photos.splits.values() for photo in members]
    findings, good, fine = list(photos.findings), set(), []
    bad = dict.fromkeys(photos.classes, 0)
    for photo, seen in zip(everything, looks, strict=True):
        path = shown_below(photo.path, photos.root)
        names = [photos.classes[label] for label in photo.labels]
        label = ";".join(names)
        if seen.bad is not None:
            findings.append(Finding(path, "quarantined", seen.bad, label))
            continue
        good.add(photo.path)
        fine.append(seen)
        parts = 0 if photo.mended is None else 1  # what is used of a truncated one is said first, see `look`
        findings += [Finding(path, "repaired", note, label) for note in seen.notes[:parts]]
        findings += [Finding(path, "note", note, label) for note in seen.notes[parts:]]
    for finding in findings:
        if finding.verdict == "quarantined":
            for name in finding.label.split(";") if photos.several else [finding.label]:
                if name in bad:
                    bad[name] += 1
    splits = {split: tuple(p for p in members if p.path in good) for split, members in photos.splits.items()}
    findings = tuple(sorted(findings, key=lambda finding: (finding.path, finding.verdict, finding.reason)))
    kept = replace(photos, **splits, findings=findings)
    counts = {split: _by_class(members, photos.classes) for split, members in splits.items()}
    pairs, tones = _seen_on(kept, [seen.thumb for seen in fine]) if alike else (Alike((), False), Tones())
    return Diagnosis(
        photos=kept,
        findings=findings,
        counts=counts,
        bad=bad,
        sizes=_spread([seen.size for seen in fine]),
        problems=_problems(photos, counts, bad, findings),
        shapes=tuple(seen.size for seen in fine),
        kinds=tuple(seen.kind for seen in fine),
        alike=pairs,
        tones=tones,
        preprocess=preprocess or Preprocess(),
    )


def _mended(photos: Photos, looks: list[Look], workers: int | None) -> tuple[Photos, list[Look]]:
    """The photos and the looks at them, after a second look at those of train that are truncated, at their rows."""
    from .inspector import inspect
    from .mend import Mended

    train = list(photos.train)  # the first of the looks
    places = [n for n, photo in enumerate(train) if photo.packed is None and " is truncated: " in (looks[n].bad or "")]
    parts = [Mended(os.fspath(train[n].path)) for n in places]
    again = dict(zip(places, inspect(parts, workers=workers) if parts else [], strict=True))
    for n, part in zip(places, parts, strict=True):
        if again[n].bad is None:
            train[n] = replace(train[n], mended=part)
    return replace(photos, train=tuple(train)), [again.get(n, seen) for n, seen in enumerate(looks)]


def _seen_on(photos: Photos, thumbs: list[bytes]) -> tuple[Alike, Tones]:
    """Look-alikes and tones. Of files with the same bytes, which is said already, only the first is compared."""
    import numpy as np

    from .leaks import everything
    from .near import SIDE, Alike, find_alike
    from .tone import tones_of

    pixels = np.frombuffer(b"".join(thumbs), np.uint8).reshape(-1, SIDE, SIDE, 3)
    first: dict[str, int] = {}
    for n, photo in enumerate(everything(photos)):
        first.setdefault(photo.digest, n)
    places = list(first.values())
    pairs, complete = find_alike(pixels[places])
    pairs = tuple(pair._replace(first=places[pair.first], second=places[pair.second]) for pair in pairs)
    return Alike(pairs, complete), tones_of(pixels)


def _wrapped(text: str) -> list[str]:
    import textwrap

    return textwrap.wrap(text, 100, break_long_words=False, break_on_hyphens=False)


def _by_class(members: tuple[Photo, ...], classes: tuple[str, ...]) -> dict[str, int]:
    numbers = Counter(label for photo in members for label in photo.labels)
    return {name: numbers[label] for label, name in enumerate(classes)}


def _spread(sizes: list[tuple[int, int]]) -> dict[str, dict[str, int]]:
    if not sizes:
        return {}
    spread = {}
    for name, sides in zip(("width", "height"), zip(*sizes, strict=True), strict=True):
        sides = sorted(sides)
        spread[name] = {"min": sides[0], "median": sides[len(sides) // 2], "max": sides[-1]}
    return spread


def _problems(
    before: Photos, counts: dict[str, dict[str, int]], bad: dict[str, int], findings: tuple[Finding, ...]
) -> tuple[str, ...]:
    problems = [finding.reason for finding in findings if finding.verdict == "problem"]
    for split in ("validation", "test"):
        if before.splits[split] and not sum(counts[split].values()):
            problems.append(f"all photos of {split} are bad")
    for name, n in counts["train"].items():
        if n == 0:
            left_out = sum(f.label == name and f.verdict == "left out" for f in findings)
            why = [f"{bad[name]} bad"] * bool(bad[name]) + [
                f"{left_out} left out because they are elsewhere too"
            ] * bool(left_out)
            problems.append(f"the class {name!r} has no good photo to train with ({', '.join(why)})")
    return tuple(problems)
