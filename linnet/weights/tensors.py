"""Named tensors and facts in one safetensors file, under one SHA-256: whole and right, or refused. Never pickle.

safetensors notices a missing byte but not a flipped bit, so the hash covers every tensor's name, type, shape and bytes
and the facts beside them. A file is written beside its place, read back, compared, and only then renamed into it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load, save_file
from torch import Tensor

from ..errors import FileError, WeightsError
from ..files import NO_ROOM, written_whole
from .archive import MOST_BYTES, read_member

SCHEMA = 1
# What safetensors, its header's JSON and torch raise for damaged bytes.
UNREADABLE = (
    OSError, SafetensorError, ValueError, LookupError, TypeError, AttributeError, MemoryError, RuntimeError,
)  # fmt: skip


class DiskFull(WeightsError):
    """There is no room to write; whatever was there before is untouched."""

    exit_code = 74  # sysexits.h EX_IOERR: a script can tell it from a mistake in the settings


def hash_tensors(tensors: Mapping[str, Tensor], text: str = "") -> str:
    """SHA-256 over `text` and each tensor's name, dtype, shape and bytes, in the order of the names.

    Memory layout (channels-last or not) and device do not count: equal values have equal hashes.
    """
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"\n{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def write_tensors(
    path: str | Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], *, kind: str, remedy: str = ""
) -> str:
    """Write `path` whole or not at all, and return the SHA-256 that its metadata carries.

    `remedy` is the sentence that ends the refusal when there is no room.
    Raises: as `write_plain` does.
    """
    text = json.dumps({**facts, "kind": kind, "schema": SCHEMA}, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return write_plain(path, tensors, text, remedy=remedy)


def write_plain(path: str | Path, tensors: Mapping[str, Tensor], text: str = "", *, remedy: str = "") -> str:
    """Write a safetensors file whole or not at all, and return the SHA-256 of its tensors and `text`.

    Without `text` it holds nothing of Linnet's: what other libraries write.
    Raises: DiskFull when there is no room, FileError when `path` cannot be written at all, WeightsError when what was
    written does not read back as it was.
    """
    path = Path(path)
    # A clone only where two names share memory or the layout is not the plain one: safetensors takes neither.
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    seen: set[int] = set()
    for name, tensor in plain.items():
        if tensor.data_ptr() in seen:
            plain[name] = tensor.clone()
        seen.add(tensor.data_ptr())
    sha256 = hash_tensors(plain, text)
    needed = sum(tensor.nbytes for tensor in plain.values()) + len(text)
    try:
        with written_whole(path) as temporary:
            save_file(plain, temporary, metadata={"linnet": text, "sha256": sha256} if text else {"format": "pt"})
            temporary.chmod(0o644)
            _, read_back = _read(temporary)
            if read_back != sha256:
                raise WeightsError(
                    f"{path}: what was written does not read back; the disk or memory is faulty. Check both."
                )
    except (FileError, SafetensorError) as error:
        reason = error.__cause__ or error
        if isinstance(reason, OSError) and reason.errno not in NO_ROOM:
            raise
        free = shutil.disk_usage(path.parent).free if path.parent.exists() else 0
        raise DiskFull(
            f"{path}: could not be written ({reason}); {needed:,} bytes needed, {free:,} bytes free."
            f" What was there before is untouched. {remedy or 'Free some space and try again.'}"
        ) from error
    return sha256


def read_tensors(
    path: str | Path, *, kind: str, remedy: str, member: str = ""
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the facts of a file that `write_tensors` wrote; of that `member` where `path` is a zip.

    `remedy` is the sentence that ends every refusal: what to do when this file cannot be used.
    Raises: WeightsError for a file that is missing, damaged, of another kind or of a newer schema.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"{path}: there is no such file. {remedy}")
    data = read_member(path, member, MOST_BYTES) if member else b""
    path /= member
    try:
        (tensors, text), found = _read_bytes(data) if member else _read(path)
        said = _metadata(data if member else path)
        expected, _ = said["sha256"], said["linnet"]  # nobody else's have these
    except UNREADABLE as error:
        raise WeightsError(f"{path}: damaged or no file of Linnet's ({_one_line(error)}). {remedy}") from error
    if found != expected:
        raise WeightsError(f"{path}: damaged (its bytes do not have the hash that was written with them). {remedy}")
    try:
        facts = json.loads(text)
        newer = facts["schema"] > SCHEMA
        holds = str(facts["kind"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise WeightsError(f"{path}: cannot be understood ({_one_line(error)}). {remedy}") from error
    if holds != kind:
        raise WeightsError(f"{path}: holds a {holds}, not a {kind}. {remedy}")
    if newer:
        raise WeightsError(
            f"{path}: written by a newer Linnet (schema {facts['schema']}; this one reads up to {SCHEMA})."
            " Upgrade with: pip install -U linnet-vision"
        )
    return tensors, facts


def _read(path: Path) -> tuple[tuple[dict[str, Tensor], str], str]:
    with safe_open(path, framework="pt") as file:
        text = (file.metadata() or {}).get("linnet", "")
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (safe_open is no mapping)
    return (tensors, text), hash_tensors(tensors, text)


def _read_bytes(data: bytes) -> tuple[tuple[dict[str, Tensor], str], str]:
    text, tensors = _metadata(data).get("linnet", ""), load(data)
    return (tensors, text), hash_tensors(tensors, text)


def _metadata(source: bytes | Path) -> dict[str, str]:
    if isinstance(source, Path):
        with safe_open(source, framework="pt") as file:
            return file.metadata() or {}
    header = json.loads(source[8 : 8 + int.from_bytes(source[:8], "little")])
    return header.get("__metadata__") or {}


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 160 else text[:157] + "..."
