"""A bundle's table of contents, bundle.json, and its files, in a folder or one zip: read only if they are what was written.

Standard library only: the text of this file is copied into every bundle's `predict.py`.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from pathlib import Path
from typing import Any

from ..errors import WeightsError
from ..weights.archive import member_names, plain_name, read_member

SCHEMA = 1
MANIFEST = "bundle.json"
REMEDY = "Copy the bundle anew, or make it again with `linnet export`."
NO_HASH = "0" * 64
LARGEST_MANIFEST = 2**26  # bytes


def manifest_text(facts: dict[str, Any]) -> str:
    """bundle.json: `facts` with "sha256", the hash of this very text with 64 zeros in the hash's place."""
    text = json.dumps({"sha256": NO_HASH, **facts}, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    return text.replace(NO_HASH, hashlib.sha256(text.encode()).hexdigest(), 1)


def read_manifest(bundle: Path) -> dict[str, Any]:
    """The facts of a bundle, a folder or one zip of it, if bundle.json is whole and of a schema that we know.

    Raises: WeightsError naming the file.
    """
    path = bundle / MANIFEST
    if not bundle.is_file() and (not bundle.is_dir() or not os.path.lexists(path)):
        hint = " A run becomes a bundle with `linnet export`." if (bundle / "best.safetensors").is_file() else ""
        raise WeightsError(f"{bundle}: not a bundle (there is no {MANIFEST} in it).{hint or ' Give a .linnet folder.'}")
    data = read_bytes(bundle, MANIFEST, LARGEST_MANIFEST + 1)
    try:
        facts = json.loads(data.decode(), parse_constant=_refuse)
        sha256 = facts["sha256"]
        whole = len(data) <= LARGEST_MANIFEST and re.fullmatch("[0-9a-f]{64}", sha256) is not None
        found = hashlib.sha256(data.replace(sha256.encode(), NO_HASH.encode(), 1)).hexdigest() if whole else ""
        schema, listed = facts["schema"], {MANIFEST, *facts["files"]}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise WeightsError(f"{path}: damaged ({type(error).__name__} while reading it). {REMEDY}") from None
    if found != sha256:
        raise WeightsError(f"{path}: damaged or changed (its hash is not the one written in it). {REMEDY}")
    if schema != SCHEMA:
        raise WeightsError(
            f"{path}: of schema {schema}; this Linnet reads {SCHEMA}. Upgrade with: pip install -U linnet-vision"
        )
    if bundle.is_file() and (others := member_names(bundle) - listed):
        raise WeightsError(f"{bundle}: holds {min(others)}, which {MANIFEST} does not list. {REMEDY}")
    return facts


def read_file(bundle: Path, name: str, facts: dict[str, Any]) -> bytes:
    """The bytes of one of a bundle's files, if they are those that bundle.json lists.

    Raises: WeightsError naming the file: not listed, missing, a link, another size or hash.
    """
    entry = facts["files"].get(name) if isinstance(facts.get("files"), dict) else None
    size = entry.get("bytes") if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or not isinstance(size, int) or size < 0 or not plain_name(name):
        raise WeightsError(f"{bundle / MANIFEST}: lists no file {name!r} and its size. {REMEDY}")
    # One byte more than listed shows a file that is too long without reading all of it.
    data = read_bytes(bundle, name, size + 1)
    if len(data) != size or hashlib.sha256(data).hexdigest() != entry.get("sha256"):
        raise WeightsError(f"{bundle / name}: damaged or changed (not the bytes that {MANIFEST} lists). {REMEDY}")
    return data


def read_bytes(bundle: Path, name: str, most: int) -> bytes:
    """At most `most` bytes of one of a bundle's files, unchecked. Raises: WeightsError naming the file."""
    if bundle.is_file():
        return read_member(bundle, name, most)
    with open_owned(
        bundle / name
    ) as file:  # so much memory is taken as is asked for, before there are bytes to fill it
        return file.read(min(most, os.fstat(file.fileno()).st_size))


def open_owned(path: Path) -> Any:
    """Open a regular file of the bundle's own: no symbolic link and no second name of a file elsewhere.

    Raises: WeightsError naming the file.
    """
    try:
        handle = os.open(
            path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        )
    except OSError as error:
        why = "it is a link" if path.is_symlink() else error.strerror
        raise WeightsError(f"{path}: cannot be read ({why}). {REMEDY}") from None
    state = os.fstat(handle)
    if path.is_symlink() or not stat.S_ISREG(state.st_mode) or state.st_nlink != 1:
        os.close(handle)
        what = "a second name (hard link) of another file" if stat.S_ISREG(state.st_mode) else "no regular file"
        raise WeightsError(f"{path}: is {what}, not a file of its own. {REMEDY}")
    return open(handle, "rb")


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")
