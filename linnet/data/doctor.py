"""The data doctor: looks at every photo once and says what is wrong, what is odd and what it did about it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DataError

if TYPE_CHECKING:
    from .source import Finding, Photo, Photos

SHOWN = 20  # bad files named in a message; all of them stand in the JSON


@dataclass(frozen=True)
class Diagnosis:
    """What was found. `photos` holds the good ones only."""

    photos: Photos
    findings: tuple[Finding, ...]
    counts: dict[str, dict[str, int]]  # split -> class -> good photos
    bad: dict[str, int]  # class -> bad files
    sizes: dict[str, dict[str, int]]  # width and height as seen upright -> min, median, max in pixels
    problems: tuple[str, ...]  # what would stop a training

    @property
    def bad_share(self) -> float:
        """Bad files among those that should be pictures."""
        bad, good = sum(self.bad.values()), sum(sum(split.values()) for split in self.counts.values())
        return bad / max(1, bad + good)

    @property
    def imbalance(self) -> float:
        """Photos of the largest class in train for one of the smallest."""
        train = self.counts["train"].values()
        return max(train) / max(1, min(train))

    def quarantined(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.verdict == "quarantined"]

    def to_json(self) -> dict[str, Any]:
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
            "findings": [asdict(finding) for finding in self.findings],
            "files": {
                split: [[shown(os.path.relpath(p.path, photos.root)), p.label, p.digest] for p in members]
                for split, members in photos.splits.items()
            },
        }

    def to_text(self) -> str:
        """The findings for a person: a table of the classes, then every bad file, then the rest by kind."""
        classes, splits = self.photos.classes, list(self.counts)
        wide = max([len(name) for name in classes] + [len("class")])
        lines = [f"{shown(self.photos.root)}: {len(classes)} classes", ""]
        lines.append("  ".join([f"{'class':{wide}}", *(f"{split:>10}" for split in splits), f"{'bad':>5}"]))
        for name in classes:
            numbers = [f"{self.counts[split][name]:>10,}" for split in splits]
            lines.append("  ".join([f"{name:{wide}}", *numbers, f"{self.bad[name]:>5,}"]))
        totals = [f"{sum(self.counts[split].values()):>10,}" for split in splits]
        lines.append("  ".join([f"{'all':{wide}}", *totals, f"{sum(self.bad.values()):>5,}"]))
        if self.sizes:
            width, height = self.sizes["width"], self.sizes["height"]
            lines += ["", f"Sizes: {width['min']} to {width['max']} wide (median {width['median']}),"]
            lines[-1] += f" {height['min']} to {height['max']} high (median {height['median']}) pixels."
        if self.imbalance > 3:
            lines.append(f"The largest class of train has {self.imbalance:.1f} times the photos of the smallest.")
        for title, verdict in (("Bad files, not used", "quarantined"), ("Left out", "left out")):
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


def examine(
    root_or_photos: str | os.PathLike | Photos,
    *,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    max_bad: float = 0.05,
) -> Diagnosis:
    """Decode every photo once, in processes of its own, and keep the good ones.

    Raises:
        DataError: nothing to train on; more than the share `max_bad` of the files are bad; or a class has no good ones.
    """
    diagnosis = _diagnose(root_or_photos, workers, progress)
    _stop_if_bad(diagnosis, max_bad)
    return diagnosis


def doctor(photos: Path, *, max_bad: float = 1.0, out: Path | None = None) -> Diagnosis:
    """Say what is wrong with a folder of photos.

    Args:
        photos: The folder (or CSV of path,label) to look at; nothing in it is changed.
        max_bad: Fail when more than this share of the files is bad, or a class has no good file; 1 only reports.
        out: Write the whole diagnosis to this file, as JSON.
    """
    diagnosis = _diagnose(photos, None, None)
    if out is not None:
        from ..files import write_json

        write_json(out, diagnosis.to_json())
    if max_bad < 1:
        _stop_if_bad(diagnosis, max_bad)
    return diagnosis


def shown(path: str | os.PathLike) -> str:
    from .image import shown_name

    return shown_name(path)


def _diagnose(
    root_or_photos: str | os.PathLike | Photos, workers: int | None, progress: Callable[[int, int], None] | None
) -> Diagnosis:
    from .inspector import inspect
    from .source import Finding, Photos, find_photos

    photos = root_or_photos if isinstance(root_or_photos, Photos) else find_photos(root_or_photos)
    everything = [photo for members in photos.splits.values() for photo in members]
    looks = inspect([os.fspath(photo.path) for photo in everything], workers=workers, progress=progress)
    findings, good, sizes = list(photos.findings), set(), []
    bad = dict.fromkeys(photos.classes, 0)
    for photo, seen in zip(everything, looks, strict=True):
        path = shown(os.path.relpath(photo.path, photos.root))
        if seen.bad is not None:
            findings.append(Finding(path, "quarantined", seen.bad, photos.classes[photo.label]))
            continue
        good.add(photo.path)
        sizes.append(seen.size)
        findings += [Finding(path, "note", note, photos.classes[photo.label]) for note in seen.notes]
    for finding in findings:
        if finding.verdict == "quarantined" and finding.label in bad:
            bad[finding.label] += 1
    splits = {split: tuple(p for p in members if p.path in good) for split, members in photos.splits.items()}
    findings = tuple(sorted(findings, key=lambda finding: (finding.path, finding.verdict, finding.reason)))
    kept = replace(photos, **splits, findings=findings)
    counts = {split: _by_class(members, photos.classes) for split, members in splits.items()}
    return Diagnosis(kept, findings, counts, bad, _spread(sizes), _problems(photos, counts, bad, findings))


def _by_class(members: tuple[Photo, ...], classes: tuple[str, ...]) -> dict[str, int]:
    numbers = Counter(photo.label for photo in members)
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


def _stop_if_bad(diagnosis: Diagnosis, max_bad: float) -> None:
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
    raise DataError(f"{root} cannot be trained on: {'; '.join(problems)}. Mend or remove these files:{files}{more}")
