"""Find the photos, their classes and their splits, so that no picture is in two of them. Nothing is decoded or written."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import DataError, SettingError, did_you_mean
from .image import BadImage, image_kind, open_regular, refusal, shown_name
from .index import is_pack, list_pack
from .listing import Entry, Finding, Listing, list_photos
from .mend import Mended
from .several import multi_hot, split_several, too_few

if TYPE_CHECKING:
    from .shard import Packed

__all__ = ["Finding", "Photo", "Photos", "find_photos"]

SPLITS = ("train", "validation", "test")  # a picture that is in two is kept in the later one


@dataclass(frozen=True)
class Photo:
    """A picture file: `label` is a position in Photos.classes, `digest` the SHA-256 of its bytes.

    Where a picture may have several labels, or none, `multi_hot` has a byte for each class (1: it has this label), and
    `label` is -1, which is no position.
    """

    path: Path
    label: int
    digest: str
    multi_hot: bytes | None = None
    packed: Packed | None = None  # pixels to read instead of the file, which was resized once; `digest` is the file's
    mended: Mended | None = None  # the file is truncated, and its first rows are read; only ever in train

    @property
    def target(self) -> int | bytes:
        """What a network should say of it: its label, or the multi-hot ones."""
        return self.label if self.multi_hot is None else self.multi_hot

    @property
    def file(self) -> Path | bytes:
        """What to open: the file, or a picture of its rows where it is truncated. Raises: BadImage."""
        return self.path if self.mended is None else self.mended.read().data

    @property
    def labels(self) -> tuple[int, ...]:
        """Positions in Photos.classes: the one, or all that it has."""
        if self.multi_hot is None:
            return (self.label,)
        return tuple(place for place, has in enumerate(self.multi_hot) if has)


@dataclass(frozen=True)
class Photos:
    """A data set: files by split, classes in sorted order, and what was noticed on the way."""

    root: Path
    classes: tuple[str, ...]
    train: tuple[Photo, ...]
    validation: tuple[Photo, ...]
    test: tuple[Photo, ...]
    findings: tuple[Finding, ...]
    was_split: bool = False  # validation and test were cut from all of them, since the user had made neither

    @property
    def splits(self) -> dict[str, tuple[Photo, ...]]:
        return {"train": self.train, "validation": self.validation, "test": self.test}

    @property
    def several(self) -> bool:
        """Whether a picture may have several labels, or none: as the CSV says it."""
        return any(photo.multi_hot is not None for members in self.splits.values() for photo in members[:1])


def packed_side(photos: Iterable[Photo]) -> int | None:
    """The short side in pixels to which photos were resized once, as far as any reached it; none where none was.

    Figures of such photos are not those of the originals, and say so.
    """
    return max((min(p.packed.width, p.packed.height) for p in photos if p.packed is not None), default=None)


def find_photos(root: str | os.PathLike, *, validation: float = 0.1, test: float = 0.1) -> Photos:
    """List and hash the photos of a folder or a CSV; split them by content where the user did not.

    Args:
        root: train/ and validation/ (val/, valid/) and perhaps test/ with a folder per class; or one folder per class; or
            a CSV of path,label[,split]; or one of several labels each, path,labels[,split] or a column per label; or
            a folder that `linnet pack` made.
        validation: share of the pictures set aside for validation where there is no such folder.
        test: share set aside for the test where there is neither a validation nor a test folder.

    Raises:
        DataError: nothing that can be trained on, with what was found and what is expected.
    """
    for name, share in (("validation", validation), ("test", test), ("validation + test", validation + test)):
        if not 0 <= share < 1:
            raise SettingError(f"{name} is {share}; allowed is a share from 0 to below 1.")
    listing = list_pack(Path(root)) if is_pack(Path(root)) else list_photos(Path(root))
    classes = _classes(listing)
    places: dict[str, str] = {}
    kept = _without_doubles(listing, _hashed(listing))
    if "validation" not in listing.splits:
        shares = {"validation": validation, "test": 0.0 if "test" in listing.splits else test}
        places = _split(listing, kept, shares)
    photos: dict[str, list[Photo]] = {split: [] for split in SPLITS}
    for entry, digest in kept:
        split = places.get(digest, "train") if entry.split == "train" else entry.split
        hot = None if entry.several is None else multi_hot(entry.several, classes)
        label = classes.index(entry.label) if hot is None else -1
        photos[split].append(Photo(Path(entry.path), label, digest, hot, entry.packed))
    for split in sorted(listing.splits):
        if not photos[split]:
            empty = f"{split} has no photo that can be used: mend it, or take it away to have one cut from train"
            listing.find(listing.root, "problem", empty)
    findings = tuple(sorted(listing.findings, key=lambda finding: (finding.path, finding.verdict, finding.reason)))
    parts = {split: tuple(photos[split]) for split in SPLITS}
    return Photos(listing.root, classes, findings=findings, was_split=not listing.splits, **parts)


def _classes(listing: Listing) -> tuple[str, ...]:
    """The classes in sorted order: those that have files in train."""
    found = defaultdict(set)
    for entry in listing.entries:
        found[entry.split].update(entry.labels)
    shown = shown_name(listing.root)
    for split in SPLITS[1:]:
        unknown = sorted(found[split] - found["train"])
        if unknown:
            names, hint = ", ".join(map(repr, unknown[:10])), did_you_mean(unknown[0], found["train"])
            raise DataError(
                f"{shown}: {split} has classes of which train has no pictures: {names}.{hint} Add or rename."
            )
        for name in sorted(found["train"] - found[split]) if split in listing.splits else ():
            listing.find(
                listing.root, "note", f"{split} has no pictures of {name!r}: nothing can be measured for it there"
            )
    if len(found["train"]) < 2:
        names = ", ".join(map(repr, found["train"]))
        has = f"one class with pictures, {names}" if names else "no picture in train that has a label"
        raise DataError(f"{shown} has {has}; a classifier needs at least two.")
    return tuple(sorted(found["train"]))


def _hashed(listing: Listing) -> list[tuple[Entry, str]]:
    """Entries with the digest of their bytes; what is no readable picture file by its first bytes is quarantined."""
    entries = listing.entries
    batches = [entries[i : i + 64] for i in range(0, len(entries), 64)]
    with ThreadPoolExecutor(min(8, (os.cpu_count() or 1) + 2)) as pool:
        digests = [
            answer
            for batch in pool.map(lambda batch: [e.digest or _digest(e.path) for e in batch], batches)
            for answer in batch
        ]
    hashed = []
    for entry, answer in zip(entries, digests, strict=True):
        if isinstance(answer, BadImage):
            listing.find(entry.path, "quarantined", answer.text, entry.said)
        else:
            hashed.append((entry, answer))
    return hashed


def _digest(path: str) -> str | BadImage:
    try:
        with open_regular(path) as file:
            block = file.read(1 << 18)
            if image_kind(block[:256]) is None:
                return refusal(block[:256], len(block))
            digest = hashlib.sha256(block)
            while block := file.read(1 << 20):
                digest.update(block)
            return digest.hexdigest()
    except BadImage as error:
        return error
    except OSError as error:  # a failing disk in the middle of the file
        return BadImage("cannot be read", f"it cannot be read ({error.strerror})")


def _without_doubles(listing: Listing, hashed: list[tuple[Entry, str]]) -> list[tuple[Entry, str]]:
    """Leave out a picture that has two labels, and all but the last split's copies of one that is in two splits."""
    same: dict[str, list[Entry]] = defaultdict(list)
    for entry, digest in hashed:
        same[digest].append(entry)
    kept = []
    for entry, digest in hashed:
        group = same[digest]
        other = next((e for e in group if e.labels != entry.labels), None)
        if other is not None:
            reason = f"the same picture is labelled {other.said!r} in {listing.shown(other.path)}: remove the wrong one"
            listing.find(entry.path, "left out", reason, entry.said)
            continue
        best = max(group, key=lambda e: SPLITS.index(e.split))
        if best.split != entry.split:
            reason = f"the same picture is in {best.split} ({listing.shown(best.path)}), where it is kept"
            listing.find(entry.path, "left out", reason, entry.said)
            continue
        first = next(e for e in group if e.split == entry.split)
        if first is not entry:
            listing.find(
                entry.path, "note", f"the same picture as {listing.shown(first.path)}; it counts twice", entry.said
            )
        kept.append((entry, digest))
    return kept


def _split(listing: Listing, kept: list[tuple[Entry, str]], shares: dict[str, float]) -> dict[str, str]:
    """digest -> split for the pictures of train. A picture's place depends on its content alone, so that adding files moves
    no other, except in a class so small that a split would have none of it: there the nearest picture is taken."""
    order = [split for split in ("test", "validation") if shares[split] > 0] + ["train"]
    several = {digest: entry.several for entry, digest in kept if entry.split == "train" and entry.several is not None}
    if several:
        for label, n in too_few(several, len(order)):
            listing.find(listing.root, "note", f"only {n} different picture(s) of {label!r}: all are used for training")
        return split_several(several, shares)
    digests = defaultdict(set)
    for entry, digest in kept:
        if entry.split == "train":
            digests[entry.label].add(digest)
    places: dict[str, str] = {}
    for label in sorted(digests):
        members: dict[str, list[str]] = {split: [] for split in order}
        if len(digests[label]) < len(order):
            few = f"only {len(digests[label])} different picture(s) of {label!r}: all are used for training"
            listing.find(listing.root, "note", few)
            continue
        for digest in sorted(digests[label]):
            place = int(digest[:13], 16) / 16**13
            in_test, in_validation = place < shares["test"], place < shares["test"] + shares["validation"]
            members["test" if in_test else "validation" if in_validation else "train"].append(digest)
        for n, split in enumerate(order):
            if not members[split]:
                giver = max(order, key=lambda other: len(members[other]))
                members[split].append(members[giver].pop(0 if n < order.index(giver) else -1))
        places |= {digest: split for split, chosen in members.items() for digest in chosen}
    return places
