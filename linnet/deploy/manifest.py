"""A bundle's table of contents, bundle.json, and its files: read only if they are what was written.

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

SCHEMA = 1
MANIFEST = "bundle.json"
REMEDY = "Copy the bundle anew, or make it again with `linnet export`."
NO_HASH = "0" * 64
LARGEST_MANIFEST = 2**26  # bytes


def manifest_text(facts: dict[str, Any]) -> str:
    """bundle.json: `facts` with "sha256", the hash of this very text with 64 zeros in the hash's place."""
    text = json.dumps({"sha256": NO_HASH, **facts}, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    return text.replace(NO_HASH, hashlib.sha256(text.encode()).hexdigest(), 1)


def read_manifest(folder: Path) -> dict[str, Any]:
    """The facts of a bundle, if bundle.json is whole and of a schema that we know.

    Raises: WeightsError naming the file.
    """
    path = folder / MANIFEST
    if not folder.is_dir() or not os.path.lexists(path):
        hint = " A run becomes a bundle with `linnet export`." if (folder / "best.safetensors").is_file() else ""
        raise WeightsError(f"{folder}: not a bundle (there is no {MANIFEST} in it).{hint or ' Give a .linnet folder.'}")
    with open_owned(path) as file:
        data = file.read(LARGEST_MANIFEST + 1)
    try:
        facts = json.loads(data.decode(), parse_constant=_refuse)
        sha256 = facts["sha256"]
        whole = len(data) <= LARGEST_MANIFEST and re.fullmatch("[0-9a-f]{64}", sha256) is not None
        found = hashlib.sha256(data.replace(sha256.encode(), NO_HASH.encode(), 1)).hexdigest() if whole else ""
        schema = facts["schema"]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise WeightsError(f"{path}: damaged ({type(error).__name__} while reading it). {REMEDY}") from None
    if found != sha256:
        raise WeightsError(f"{path}: damaged or changed (its hash is not the one written in it). {REMEDY}")
    if schema != SCHEMA:
        raise WeightsError(
            f"{path}: of schema {schema}; this Linnet reads {SCHEMA}. Upgrade with: pip install -U linnet-vision"
        )
    return facts


def read_file(folder: Path, name: str, facts: dict[str, Any]) -> bytes:
    """The bytes of one of a bundle's files, if they are those that bundle.json lists.

    Raises: WeightsError naming the file: not listed, missing, a link, another size or hash.
    """
    entry = facts["files"].get(name) if isinstance(facts.get("files"), dict) else None
    if not isinstance(entry, dict) or not plain_name(name):
        raise WeightsError(f"{folder / MANIFEST}: lists no file {name!r}. {REMEDY}")
    path = folder / name
    with open_owned(path) as file:
        # One byte more than listed shows a file that is too long without reading all of it.
        data = file.read(int(entry["bytes"]) + 1)
    if len(data) != entry["bytes"] or hashlib.sha256(data).hexdigest() != entry["sha256"]:
        raise WeightsError(f"{path}: damaged or changed (not the bytes that {MANIFEST} lists). {REMEDY}")
    return data


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


def plain_name(name: str) -> bool:
    """Whether a file's name stays inside the bundle: parts of letters, digits, '_', '-', '.', joined by '/'."""
    return all(re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", part) for part in name.split("/"))


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")
