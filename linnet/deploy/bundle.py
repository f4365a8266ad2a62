"""The bundle NAME.linnet/: what leaves Linnet. Written whole or not at all, read only if every byte is as written."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..arch import names  # noqa: F401  (every family's operators, by which from_json knows them)
from ..arch.spec import Arch
from ..data.preprocess import Preprocess
from ..errors import LinnetError, ProofError, SettingError, WeightsError
from ..files import sha256_file, sync_folder, write_text
from .manifest import MANIFEST, REMEDY, SCHEMA, manifest_text, open_owned, plain_name, read_file, read_manifest
from .outputs import OUTPUTS

SUFFIX = ".linnet"
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,79}")  # what is printed into commands for a shell


@dataclass(frozen=True)
class Runtime:
    """One way to run the bundle. `file` is its entry file, `more` those that belong to it; `input` float32 or uint8.

    `output`: what the file gives, one of OUTPUTS. `sides`: the least and the largest height or width that it takes, in
    pixels; none where it takes that of the preprocessing alone.
    """

    runtime: str
    precision: str
    file: str
    more: tuple[str, ...] = ()
    input: str = "float32"
    output: str = "logits"
    sides: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "more", tuple(self.more))
        object.__setattr__(self, "sides", tuple(self.sides))
        if not (WORD.fullmatch(self.runtime) and WORD.fullmatch(self.precision)):
            raise ValueError(f"{self.runtime!r} and {self.precision!r} name no runtime and precision")
        if self.input not in ("float32", "uint8"):
            raise ValueError(f'input is {self.input!r}, not "float32" or "uint8"')
        if self.output not in OUTPUTS:
            raise ValueError(f"output is {self.output!r}, not one of {', '.join(OUTPUTS)}")

    def to_json(self) -> dict[str, Any]:
        """What is as in most bundles is not said."""
        said = {"runtime": self.runtime, "precision": self.precision, "file": self.file}
        more = {"more": list(self.more)} if self.more else {}
        output = {} if self.output == "logits" else {"output": self.output}
        sides = {"sides": list(self.sides)} if self.sides else {}
        return said | more | ({} if self.input == "float32" else {"input": self.input}) | output | sides


@dataclass(frozen=True)
class Bundle:
    """A bundle that has been checked. `facts` is all of bundle.json; `folder` is its folder, or the zip that it lies in."""

    folder: Path
    name: str
    arch: Arch
    classes: tuple[str, ...]
    preprocess: Preprocess
    runtimes: tuple[Runtime, ...]
    certificates: tuple[dict[str, Any], ...]
    labels: str  # "one" of each picture, or "several"
    facts: dict[str, Any]

    def read(self, file: str) -> bytes:
        """The bytes of one of its files, checked again as they are read."""
        return read_file(self.folder, file, self.facts)


def read_bundle(folder: str | Path) -> Bundle:
    """The bundle in `folder` (or a zip), after its manifest, every file's hash and every certificate have been checked.

    Raises: WeightsError naming the file that is damaged, ProofError for a runtime without a passed certificate.
    """
    folder = Path(folder)
    facts = read_manifest(folder)
    path = folder / MANIFEST
    try:
        listed = facts["classes"]
        if not isinstance(listed, list) or not all(isinstance(name, str) and name for name in listed):
            raise ValueError("its classes are no list of names")
        classes = tuple(listed)
        if not classes or len(set(classes)) < len(classes):
            raise ValueError("its class names are not different")
        bundle = Bundle(
            folder=folder,
            name=str(facts["name"]),
            arch=Arch.from_json(facts["arch"]),
            classes=classes,
            preprocess=Preprocess.from_json(facts["preprocess"]),
            runtimes=tuple(Runtime(**entry) for entry in facts["runtimes"]),
            certificates=tuple(dict(entry) for entry in facts["certificates"]),
            labels=facts.get("labels", "one"),  # older bundles do not say it
            facts=facts,
        )
        files = {str(name): (int(entry["bytes"]), str(entry["sha256"])) for name, entry in facts["files"].items()}
        if not WORD.fullmatch(bundle.name):
            raise ValueError(f"{bundle.name!r} is no name of a bundle")
        if bundle.labels not in ("one", "several"):
            raise ValueError(f'labels is {bundle.labels!r}, not "one" or "several"')
        if bundle.arch.classes != len(classes):
            raise ValueError(f"{len(classes)} class names for {bundle.arch.classes} classes")
        needed = {"weights.safetensors"}.union(*([entry.file, *entry.more] for entry in bundle.runtimes))
        if missing := needed - files.keys():
            raise ValueError(f"it lists no {sorted(missing)[0]}")
    except (LinnetError, KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise WeightsError(f"{path}: cannot be understood ({error}). {REMEDY}") from None
    for name, (size, sha256) in files.items():
        if folder.is_file():
            read_file(folder, name, facts)
        else:
            _check_file(folder, name, size, sha256)
    for entry in bundle.runtimes:
        if not any(_proves(certificate, entry, files) for certificate in bundle.certificates):
            raise ProofError(
                f"{path}: {entry.file} has no certificate that it passed. Make it again with `linnet export`."
            )
    return bundle


def _check_file(folder: Path, name: str, size: int, sha256: str) -> None:
    if not plain_name(name):
        raise WeightsError(f"{folder / MANIFEST}: lists {name!r}, which is not inside the bundle. {REMEDY}")
    with open_owned(folder / name) as file:
        same = os.fstat(file.fileno()).st_size == size and hashlib.file_digest(file, "sha256").hexdigest() == sha256
    if not same:
        raise WeightsError(f"{folder / name}: damaged or changed (not the bytes that {MANIFEST} lists). {REMEDY}")


def _proves(certificate: dict[str, Any], runtime: Runtime, files: dict[str, tuple[int, str]]) -> bool:
    """Whether this certificate was given to these very files."""
    said = [certificate.get(name) for name in ("runtime", "precision", "sha256", "more")]
    said += certificate.get("output", "logits"), certificate.get("sides", [])
    more = {name: files[name][1] for name in runtime.more} or None
    true = [runtime.runtime, runtime.precision, files[runtime.file][1], more, runtime.output, list(runtime.sides)]
    return certificate.get("passed") is True and said == true


@contextmanager
def new_bundle(folder: Path) -> Iterator[Path]:
    """Give an empty folder beside `folder` that takes its name when the block ends well, and is removed otherwise.

    Raises: SettingError when something is there already; nothing is ever overwritten.
    """
    if os.path.lexists(folder):
        raise SettingError(f"{folder}: there is something there already. Give another name, or move it away.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.", suffix=".tmp"))
    try:
        yield temporary
        temporary.chmod(0o755)
        sync_folder(temporary)
        if os.path.lexists(folder):
            raise SettingError(f"{folder}: something has come there meanwhile. Give another name, or move it away.")
        os.rename(temporary, folder)
        sync_folder(folder.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def seal(folder: Path, facts: dict[str, Any]) -> Bundle:
    """Write bundle.json over all files in `folder`, then read the whole as a stranger would.

    Raises: what `read_bundle` raises.
    """
    files = {
        path.relative_to(folder).as_posix(): {"bytes": path.stat().st_size, "sha256": sha256_file(path)}
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }
    write_text(folder / MANIFEST, manifest_text({"kind": "linnet bundle", "schema": SCHEMA, **facts, "files": files}))
    return read_bundle(folder)


def free_place(folder: Path, name: str) -> Path:
    """folder/NAME.linnet, or NAME-2.linnet, NAME-3.linnet, ... if there is one already."""
    candidate, n = folder / f"{name}{SUFFIX}", 1
    while os.path.lexists(candidate):
        n += 1
        candidate = folder / f"{name}-{n}{SUFFIX}"
    return candidate


def check_name(name: str) -> str:
    """Raises: SettingError for a name that a file system, an address or a shell might take for something else."""
    if not NAME.fullmatch(name):
        raise SettingError(f"A bundle cannot be called {name!r}; allowed: a-z, 0-9, '.', '_', '-', at most 64.")
    return name
