"""Which files of a folder or CSV are pictures, and which class and split each is said to be in. Reads names only."""

from __future__ import annotations

import csv
import io
import os
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import DataError, did_you_mean
from .image import NAMES, shown_name
from .several import label_columns, labels_of

if TYPE_CHECKING:
    from .shard import Packed

SPLIT_NAMES = {"train": "train", "validation": "validation", "val": "validation", "valid": "validation", "test": "test"}
# Some of these cannot be read, but the name says picture: the user shall hear why, not see the file passed over.
UNREADABLE = "heic heif jp2 j2k jxl psd eps ppm pgm tga ico svg dng cr2 nef"
PICTURE_ENDINGS = set(" ".join([*NAMES.values(), UNREADABLE]).split())
LEFTOVERS = {".ds_store": "macOS", "thumbs.db": "Windows", "desktop.ini": "Windows", "__macosx": "macOS"}
EXPECTED = (
    "Expected: a folder for each class with its pictures inside; or train/ and validation/ (and test/) that hold such "
    "folders; or a CSV with the columns path,label, or path,labels for several each"
)


@dataclass(frozen=True)
class Finding:
    """What was seen about one file or folder: `path` is relative to the root and printable."""

    path: str
    verdict: str  # ignored, left out, quarantined, repaired, note, or problem (of the data set as a whole)
    reason: str
    label: str = ""  # the class, where the file belongs to one


@dataclass(frozen=True)
class Entry:
    """A file said to be a picture of `label`; `split` is "train" where nothing is said.

    Where a picture may have `several` labels, or none, these are all that are said of it and `label` is empty.
    """

    path: str
    label: str
    split: str
    several: tuple[str, ...] | None = None
    packed: Packed | None = None  # where its pixels lie, in a folder of packed photos (index.py)
    digest: str = ""  # of the original, where that is known already

    @property
    def labels(self) -> tuple[str, ...]:
        return (self.label,) if self.several is None else self.several

    @property
    def said(self) -> str:
        """The label, or all of several joined by ";"."""
        return ";".join(self.labels)


@dataclass
class Listing:
    root: Path
    entries: list[Entry] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    splits: set[str] = field(default_factory=set)  # the splits that the user made

    def find(self, path: str | Path, verdict: str, reason: str, label: str = "") -> None:
        self.findings.append(Finding(self.shown(path), verdict, reason, label))

    def shown(self, path: str | Path) -> str:
        return shown_below(path, self.root)


def shown_below(path: str | Path, root: str | Path) -> str:
    """How a photo is called wherever it is written down: its path from the data set's root, with forward slashes, printable."""
    try:
        inside = os.path.relpath(path, root)
    except ValueError:  # another drive
        inside = os.fspath(path)
    return shown_name(inside.replace(os.sep, "/"))


def list_photos(root: Path) -> Listing:
    """List a folder or a CSV file.

    Raises:
        DataError: there is nothing there, or not in a form that is understood.
    """
    if root.is_dir():
        return _list_folder(root)
    if root.is_file():
        return _list_csv(root)
    if not os.path.lexists(root):
        raise DataError(f"There is nothing at {shown_name(root)}. Give the folder that holds your photos.")
    raise DataError(f"{shown_name(root)} is neither a folder nor a file that can be read. {EXPECTED}.")


def class_name(folder: str) -> str:
    """A folder's name as a class: one spelling for accents (macOS and Linux differ), printable."""
    return shown_name(unicodedata.normalize("NFC", folder))


def _list_folder(root: Path) -> Listing:
    listing = Listing(root)
    folders, files = _sorted_entries(listing, str(root))
    given = {path: SPLIT_NAMES[name.lower()] for name, path in folders if name.lower() in SPLIT_NAMES}
    if not given:
        for name, path in folders:
            _list_class(listing, path, class_name(name), "train", above=[str(root)])
        for path in files:
            listing.find(path, "ignored", "it lies outside the class folders")
        _stop_where_unread(listing)
        if not listing.entries or len(folders) < 2:
            raise DataError(_what_is_wrong(root, folders, files, listing))
        return listing
    for path in files:
        listing.find(path, "ignored", "it lies outside the class folders")
    for _name, path in folders:
        if path not in given:
            listing.find(path, "ignored", "a folder beside train/ that is none of validation/ and test/")
    listing.splits = set(given.values())
    if len(listing.splits) < len(given):
        names = ", ".join(sorted(os.path.basename(path) for path in given))
        raise DataError(f"{shown_name(root)} holds two folders for one split ({names}). Keep one of them.")
    if "train" not in listing.splits:
        names = ", ".join(sorted(os.path.basename(path) for path in given))
        raise DataError(f"{shown_name(root)} holds {names} but no train/. {EXPECTED}.")
    for split_folder, split in given.items():
        classes, loose = _sorted_entries(listing, split_folder)
        for path in loose:
            listing.find(path, "ignored", "it lies outside the class folders")
        for name, path in classes:
            _list_class(listing, path, class_name(name), split, above=[str(root), split_folder])
    _stop_where_unread(listing)
    if not any(entry.split == "train" for entry in listing.entries):
        raise DataError(f"{shown_name(root)}: train/ holds no pictures in class folders. {EXPECTED}.")
    return listing


def _stop_where_unread(listing: Listing) -> None:
    """Raises: DataError where too little is left to go on, and the reason is a folder that cannot be read."""
    unread = [finding for finding in listing.findings if finding.verdict == "problem"]
    if unread and len({entry.label for entry in listing.entries if entry.split == "train"}) < 2:
        raise DataError(f"{shown_name(listing.root)}: {unread[0].reason}. Make it readable, or take it away.")


def _what_is_wrong(root: Path, folders: list[tuple[str, str]], files: list[str], listing: Listing) -> str:
    shown = shown_name(root)
    if not folders:
        seen = f"{len(files)} picture{'s' * (len(files) != 1)} and no folders" if files else "no pictures"
        return f"{shown} holds {seen}. {EXPECTED}."
    if not listing.entries:
        return (
            f"{shown} holds {len(folders)} folder{'s' * (len(folders) != 1)} and not one picture in them. {EXPECTED}."
        )
    name, path = folders[0]
    inside = [entry.name for entry in os.scandir(path) if entry.is_dir() and not _passed_over(entry.name)]
    if inside:
        return f"{shown} holds one folder, {name!r}, with folders inside. Did you mean {shown_name(root / name)}?"
    return f"{shown} holds one class, {name!r}; a classifier needs at least two. {EXPECTED}."


def _list_class(listing: Listing, folder: str, label: str, split: str, above: list[str]) -> None:
    """Add a class folder's pictures, those of folders inside it too (as torchvision does), each folder once."""
    seen = {_identity(path) for path in above}
    waiting, before, noted = [folder], len(listing.entries), len(listing.findings)
    while waiting:
        current = waiting.pop()
        identity = _identity(current)
        if identity in seen:
            listing.find(current, "ignored", "a link back to a folder that is already being read")
            continue
        seen.add(identity)
        inner, files = _sorted_entries(listing, current)
        listing.entries += [Entry(path, label, split) for path in files]
        waiting += [path for _, path in reversed(inner)]
        if current == folder:
            continue
        if files:
            count = f"its {len(files)} picture{'s' * (len(files) > 1)}"
            listing.find(current, "note", f"a folder inside the class folder: {count} count as {label!r}")
        elif not inner:
            named = _ending(current) in PICTURE_ENDINGS
            listing.find(current, "ignored", f"a folder{' named like a picture' * named}, without pictures")
    unread = any(finding.verdict == "problem" for finding in listing.findings[noted:])
    if len(listing.entries) == before and not unread:
        listing.find(folder, "left out", f"an empty class folder: {label!r} has no pictures in {split}", label)


def _sorted_entries(listing: Listing, folder: str) -> tuple[list[tuple[str, str]], list[str]]:
    """(name, path) of the folders and paths of the pictures in `folder`; what is neither becomes a finding."""
    try:
        with os.scandir(folder) as scan:
            entries = sorted(scan, key=lambda entry: entry.name)
    except OSError as error:
        place = f"the folder {shown_name(os.path.basename(folder))!r} cannot be read ({error.strerror})"
        listing.find(folder, "problem", place)
        return [], []
    folders, files = [], []
    for entry in entries:
        reason = _passed_over(entry.name)
        if reason:
            listing.find(entry.path, "ignored", reason)
        elif _is_folder(entry):
            folders.append((entry.name, entry.path))
        elif _ending(entry.name) in PICTURE_ENDINGS:
            files.append(entry.path)
        else:
            ending = _ending(entry.name)
            reason = (
                f"not a picture by its name (.{shown_name(ending)})" if ending else "its name has no ending like .jpg"
            )
            listing.find(entry.path, "ignored", reason)
    return folders, files


def _passed_over(name: str) -> str | None:
    if name.lower() in LEFTOVERS:
        return f"left there by {LEFTOVERS[name.lower()]}, not a picture"
    if name.startswith("._"):
        return "macOS metadata of another file, not a picture"
    return "hidden" if name.startswith(".") else None


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # links in a circle: the file's own verdict will say so
        return False


def _ending(name: str) -> str:
    return os.path.splitext(name)[1].lower().lstrip(".")


def _identity(path: str) -> tuple[int, int] | str:
    try:
        status = os.stat(path)
    except OSError:
        return path
    return (status.st_dev, status.st_ino)


def _list_csv(file: Path) -> Listing:
    """Rows of path,label[,split]; a first row with just these words is a header. Paths start at the CSV's folder.

    A header with the column path and without label is of photos that have several labels each (see several.py).
    """
    shown = shown_name(file)
    no_csv = f"{shown} is not a CSV of path,label that can be read"
    if file.suffix.lower() in (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar"):
        raise DataError(f"{shown} is an archive. Unpack it and give the folder.")
    try:
        text = file.read_text(encoding="utf-8-sig")
        if "\0" in text:
            raise DataError(f"{no_csv} (it holds zero bytes). {EXPECTED}.")
        first = text.partition("\n")[0]
        separator = max(",;\t", key=first.count) if any(mark in first for mark in ",;\t") else ","
        rows = [
            (n, row) for n, row in enumerate(csv.reader(io.StringIO(text), delimiter=separator, strict=True), 1) if row
        ]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{no_csv} ({error}). {EXPECTED}.") from None
    except OSError as error:
        raise DataError(f"{shown} cannot be read ({error.strerror}).") from None
    columns = ["path", "label", "split"]
    header = {word.strip().lower() for word in rows[0][1]} if rows else set[str]()
    several = "path" in header and ("label" not in header or "labels" in header)
    own: tuple[str, ...] = ()
    if several:
        given = [class_name(word.strip()) for word in rows.pop(0)[1]]
        own = label_columns(given, shown)
        columns = [word if word in own else word.lower() for word in given]
    elif {"path", "label"} <= header:
        columns = [word.strip().lower() for word in rows.pop(0)[1]]
    if not rows:
        raise DataError(f"{shown} has no rows. {EXPECTED}.")
    listing = Listing(file.parent)
    for n, row in rows:
        values = dict(zip(columns, (value.strip() for value in row), strict=False))
        path, label, split = values.get("path", ""), values.get("label", ""), values.get("split", "").lower()
        short = len(row) < len(columns) if several else not label
        if not path or short or len(row) > len(columns):
            form = ",".join(columns) if several else "path,label[,split]"
            raise DataError(
                f"{shown}, row {n}: {shown_name(','.join(row))[:80]!r} is not {shown_name(form)[:80]}. {EXPECTED}."
            )
        if split and split not in SPLIT_NAMES:
            hint = did_you_mean(split, SPLIT_NAMES)
            raise DataError(f"{shown}, row {n}: split {split!r}; allowed are train, validation and test.{hint}")
        if split:
            listing.splits.add(SPLIT_NAMES[split])
        full = os.path.join(file.parent, path)
        said = labels_of(values, own, f"{shown}, row {n}") if several else None
        names = None if said is None else tuple(sorted({class_name(name) for name in said}))
        listing.entries.append(Entry(full, class_name(label), SPLIT_NAMES.get(split, "train"), names))
    for name in sorted(set(own) - {name for entry in listing.entries for name in entry.labels}):
        listing.find(file, "note", f"no photo has the label {name!r}: it is left out")
    if listing.splits and "train" not in listing.splits:
        raise DataError(f"{shown}: no row has the split train. {EXPECTED}.")
    return listing
