"""The index of a folder of packed photos: which picture lies where, its class, split, and the file that it was made of.

Everything read here is checked before it is used: a pack may come from anywhere. No name in it leads out of its folder.
"""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from ..errors import DataError
from ..files import write_text
from .image import open_image, shown_name
from .listing import Entry, Finding, Listing, class_name
from .shard import LIMIT, MEMBER, SHARD, SIDE, Packed

if TYPE_CHECKING:
    from PIL.Image import Image

INDEX = "index.json"
KIND, SCHEMA = "linnet pack", 1
# Of an index, which becomes some ten times as many bytes of memory: of four million photos with paths of usual lengths.
LARGEST, MOST = 1_000_000_000, 4_000_000
COLUMNS = ("shard", "member", "offset", "size", "width", "height", "crc32", "labels", "split", "sha256", "path")
DIGEST = re.compile(r"[0-9a-f]{64}")
SPLITS = ("train", "validation", "test")
VERDICTS = ("ignored", "left out", "quarantined", "note")  # "problem" is for the photos at hand, see listing.Finding


@dataclass(frozen=True)
class Row:
    """One picture: where it lies, its places in the classes, split, and the digest and path of its original."""

    packed: Packed
    labels: tuple[int, ...]
    split: str
    digest: str
    path: str  # relative to the folder that was packed


def is_pack(root: Path) -> bool:
    return (root / INDEX).is_file() and (root / SHARD.format(0)).is_file()


def write_index(
    folder: Path,
    rows: Sequence[Row],
    *,
    image: int,
    quality: int | None,
    classes: Sequence[str],
    splits: Sequence[str],
    several: bool,
    findings: Sequence[Finding],
) -> None:
    """Write index.json into `folder`. `splits`: those that the user made; where there are none, they are cut on reading."""
    facts = {
        "kind": KIND,
        "schema": SCHEMA,
        "short_side": image,
        "jpeg_quality": quality,
        "classes": list(classes),
        "splits": list(splits),
        "several_labels": several,
        "findings": [[shown_name(f.path), f.verdict, shown_name(f.reason), shown_name(f.label)] for f in findings],
        "columns": list(COLUMNS),
    }
    lines = []
    for row in rows:
        p = row.packed
        place = [Path(p.shard).name, p.member, p.offset, p.size, p.width, p.height, p.crc]
        lines.append(json.dumps([*place, list(row.labels), row.split, row.digest, row.path], ensure_ascii=False))
    head = json.dumps(facts, indent=1, ensure_ascii=False).removesuffix("\n}")
    write_text(folder / INDEX, head + ',\n "photos": [\n  ' + ",\n  ".join(lines) + "\n ]\n}\n")


def list_pack(root: Path) -> Listing:
    """The photos of a pack, as `list_photos` gives those of a folder; their paths are those of the originals, below root.

    Raises: DataError for an index that is damaged, newer, or says what cannot be.
    """
    where = f"{shown_name(root)}: {INDEX}"
    try:
        if (root / INDEX).stat().st_size > LARGEST:
            raise DataError(f"{where} has more than {LARGEST:,} bytes. Pack fewer photos into one folder.")
        facts = json.loads((root / INDEX).read_text(encoding="utf-8"))
        if facts["kind"] != KIND:
            raise DataError(f"{where} is not that of packed photos. Give the folder that `linnet pack` made.")
        if facts["schema"] != SCHEMA:
            raise DataError(
                f"{where} has schema {facts['schema']!r}; this Linnet reads {SCHEMA}. Pack the photos anew."
            )
        if tuple(facts["columns"]) != COLUMNS:
            raise ValueError("other columns")
        classes = [class_name(name) for name in facts["classes"]]
        sizes: dict[str, int] = {}
        check_number(len(facts["photos"]), where)
        rows = [read_row(row, root, len(classes), facts["jpeg_quality"] is not None, sizes) for row in facts["photos"]]
        given = {split for split in facts["splits"] if split in SPLITS}
        findings = [read_finding(finding) for finding in facts["findings"]]
        several = bool(facts["several_labels"])
        if not several and any(len(row.labels) != 1 for row in rows):
            raise ValueError("a photo has not one label")
    except (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())[:120]
        raise DataError(f"{where} cannot be used ({said}). Pack the photos anew with `linnet pack`.") from None
    listing = Listing(root, findings=findings, splits=given)
    for row in rows:
        names = tuple(classes[place] for place in row.labels)
        listing.entries.append(
            Entry(
                str(root / row.path),
                "" if several else names[0],
                row.split,
                names if several else None,
                packed=row.packed,
                digest=row.digest,
            )
        )
    return listing


def check_number(photos: int, where: str) -> None:
    if photos > MOST:
        raise DataError(f"{where} has {photos:,} photos; a pack has at most {MOST:,}. Pack fewer into one folder.")


def read_finding(values: list[Any]) -> Finding:
    """One of the findings in the index: of a known verdict, printable. Raises: ValueError, TypeError."""
    path, verdict, reason, label = values
    if verdict not in VERDICTS:
        raise ValueError(f"{verdict!r} is no verdict")
    for text in (path, reason, label):
        if not isinstance(text, str) or shown_name(text) != text:
            raise ValueError(f"{text!r} cannot be printed")
    return Finding(path, verdict, reason, label)


def read_row(values: list[Any], root: Path, classes: int, jpeg: bool, sizes: dict[str, int]) -> Row:
    """One row of the index. `sizes` remembers the shards' bytes. Raises: ValueError, OSError for what cannot be."""
    shard, member, offset, size, width, height, crc, labels, split, digest, path = values
    if not isinstance(shard, str) or not re.fullmatch(r"photos-\d{5,}\.tar", shard):
        raise ValueError(f"{shard!r} is no name of a shard")
    if shard not in sizes:
        if not (root / shard).is_file():
            raise ValueError(f"there is no {shard}")
        sizes[shard] = (root / shard).stat().st_size
    numbers = (offset, size, width, height, crc, *labels)
    if any(type(number) is not int or number < 0 for number in numbers):
        raise ValueError(f"{numbers} are not all whole numbers of 0 or more")
    if not (1 <= width <= SIDE and 1 <= height <= SIDE) or size > LIMIT or offset + size > sizes[shard]:
        raise ValueError(f"{member!r} does not fit into {shard}")
    if not jpeg and size != 3 * width * height:
        raise ValueError(f"{member!r} has not the bytes of {width} x {height} pixels")
    if not MEMBER.fullmatch(member) or split not in SPLITS or not DIGEST.fullmatch(digest):
        raise ValueError(f"{member!r}, {split!r}, {digest!r}")
    if max(labels, default=0) >= classes:
        raise ValueError(f"{labels} are no places in {classes} classes")
    inside = PurePosixPath(path)
    if inside.is_absolute() or ".." in inside.parts or not path or shown_name(path) != path:
        raise ValueError(f"{path!r} leads out of the folder")
    packed = Packed(str(root / shard), member, offset, size, width, height, crc, jpeg)
    return Row(packed, tuple(labels), split, digest, path)


def open_photo(path: Path, *, at_least: int) -> Image:
    """The picture of a photo's path: of the file there, else of the pack that lies above it. Raises: BadImage."""
    if not path.exists():
        for root in path.parents:
            if is_pack(root):
                packed = pictures(root, (root / INDEX).stat().st_mtime_ns).get(os.fspath(path))
                if packed is not None:
                    return packed.picture()
    return open_image(path, at_least=at_least)


@functools.lru_cache(maxsize=4)
def pictures(root: Path, written: int) -> dict[str, Packed]:
    """Path -> where it lies, of a pack whose index was `written` then."""
    return {entry.path: entry.packed for entry in list_pack(root).entries if entry.packed is not None}
