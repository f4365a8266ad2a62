"""The files in one zip, read in memory: nothing is ever unpacked to the disk, and nothing unfolds without bound.

Standard library only: the text of this file is copied into every bundle's `predict.py`.
"""

from __future__ import annotations

import re
import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from ..errors import WeightsError

MOST_MEMBERS = 1000
MOST_BYTES = 2**30  # of all members, unpacked
MOST_RATIO = 200  # unpacked bytes to those of the zip
NEW_ZIP = "Copy it anew, or make it again with `linnet export --zip`."


def read_member(path: Path, name: str, most: int) -> bytes:
    """At most `most` bytes of the file `name` in a zip, below its only folder if it has one.

    Raises: WeightsError naming the zip, for a file that it does not have and for a zip that `zip_members` refuses.
    """
    with zip_members(path) as (archive, members):
        if name not in members:
            raise WeightsError(f"{path}: there is no {name} in this zip. {NEW_ZIP}")
        with archive.open(members[name]) as file:
            return file.read(max(0, most))


def member_names(path: Path) -> frozenset[str]:
    """The names of the files in a zip, as `read_member` takes them. Raises: WeightsError."""
    with zip_members(path) as (_, members):
        return frozenset(members)


@contextmanager
def zip_members(path: Path) -> Iterator[tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]]]:
    """An open zip and its files by name, after what it says of itself has been checked; no byte is unfolded before.

    Raises: WeightsError for what is no zip, is damaged, would unfold beyond the limits above, or has a member that is not
    a plain file with a name of its own inside the zip.
    """
    try:
        with open(path, "rb") as file:
            _check_end(file)
            with zipfile.ZipFile(file) as archive:
                yield archive, _files(archive.infolist(), file.seek(0, 2))
    except WeightsError:
        raise
    except _Refused as error:
        raise WeightsError(f"{path}: not read, {error}. {NEW_ZIP}") from None
    except Exception as error:  # the list of what zipfile raises for garbage is open-ended
        said = " ".join(str(error).split())[:120] or type(error).__name__
        raise WeightsError(f"{path}: damaged, or no zip ({said}). {NEW_ZIP}") from None


class _Refused(Exception):
    """Why a zip is not read."""


def _check_end(file: IO[bytes]) -> None:
    """Look at a zip's last 22 bytes before zipfile reads the whole table of contents, which may have millions of lines."""
    size = file.seek(0, 2)
    file.seek(max(0, size - 42))
    tail = file.read(42).rjust(42, b"\0")
    locator, end = tail[:20], tail[20:]
    if end[:4] != b"PK\5\6" or end[20:] != b"\0\0":
        raise _Refused("it is no zip, or something stands behind its end")
    if locator[:4] == b"PK\6\7":
        raise _Refused("it is a zip of the large kind (zip64)")
    entries, length, start = (int.from_bytes(end[a:b], "little") for a, b in ((10, 12), (12, 16), (16, 20)))
    if entries > MOST_MEMBERS:
        raise _Refused(f"it has {entries:,} members; allowed are {MOST_MEMBERS:,}")
    if length > MOST_MEMBERS * 400:  # the number above is the true one modulo 65,536
        raise _Refused(f"it has a table of contents of {length:,} bytes")
    if start + length + 22 != size:
        raise _Refused("its table of contents is not where it should be")


def _files(entries: list[zipfile.ZipInfo], size: int) -> dict[str, zipfile.ZipInfo]:
    if len(entries) > MOST_MEMBERS:
        raise _Refused(f"it has {len(entries):,} members; allowed are {MOST_MEMBERS:,}")
    for entry in entries:
        _check_member(entry)
    total = sum(entry.file_size for entry in entries)
    if total > MOST_BYTES or total > MOST_RATIO * size or sum(entry.compress_size for entry in entries) > size:
        raise _Refused(
            f"its {size:,} bytes would unfold to {total:,}; allowed are {MOST_BYTES:,}, and {MOST_RATIO} times its size"
        )
    files = {entry.filename: entry for entry in entries if not entry.is_dir()}
    tops = {name.partition("/")[0] for name in files}
    places = sorted(name.lower().rstrip("/") for name in (entry.filename for entry in entries))
    folders = {"/".join(place.split("/")[:n]) for place in places for n in range(1, place.count("/") + 1)}
    if len(set(places)) < len(places) or folders & {name.lower() for name in files}:
        raise _Refused("two of its members have the same name, or names that differ in small and capital letters only")
    # A folder that was zipped as a whole: what is in it counts, not how it is called.
    cut = len(next(iter(tops))) + 1 if len(tops) == 1 and all("/" in name for name in files) else 0
    return {name[cut:]: entry for name, entry in files.items()}


def _check_member(entry: zipfile.ZipInfo) -> None:
    name, kind = entry.filename, stat.S_IFMT(entry.external_attr >> 16)
    if entry.orig_filename != name or not plain_name(name.removesuffix("/")):
        raise _Refused(f"its member {name[:80]!r} has a name that is not plainly inside it")
    if kind not in (0, stat.S_IFDIR if entry.is_dir() else stat.S_IFREG):
        raise _Refused(f"its member {name} is a link or a device, not a file")
    if entry.flag_bits & 0x41:  # encrypted, one way or the other
        raise _Refused(f"its member {name} is encrypted")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise _Refused(f"its member {name} is compressed in another way than zip's usual one")
    if entry.is_dir() and entry.file_size:
        raise _Refused(f"its folder {name} holds bytes")
    if entry.compress_type == zipfile.ZIP_STORED and entry.file_size != entry.compress_size:
        raise _Refused(f"its member {name} says two sizes")


def plain_name(name: str) -> bool:
    """Whether a file's name stays inside its folder: parts of letters, digits, '_', '-', '.', joined by '/'."""
    return all(re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", part) for part in name.split("/"))
