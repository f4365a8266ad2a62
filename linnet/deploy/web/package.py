"""ONNX Runtime Web from npm: fetched once, kept in the cache, and used only if it is the very file that we know.

Standard library only.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import sys
import tarfile
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from ...errors import FileError, SettingError
from ...files import cache_folder, written_whole

REGISTRY = "https://registry.npmjs.org"
WAIT = 60.0  # seconds without an answer


@dataclass(frozen=True)
class Package:
    """One version of a package on npm. `integrity`: its SHA-512, as npm writes it. `files`: those that are used."""

    name: str
    version: str
    integrity: str
    bytes: int
    files: tuple[str, ...]

    @property
    def file(self) -> str:
        return f"{self.name}-{self.version}.tgz"


# `npm view onnxruntime-web@1.30.0 dist.integrity`. Of its builds the one for the processor alone: the only one that computes
# on every device, and the smallest.
ORT_WEB = Package(
    "onnxruntime-web",
    "1.30.0",
    "sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ==",
    33_106_585,
    ("dist/ort.wasm.min.mjs", "dist/ort-wasm-simd-threaded.mjs", "dist/ort-wasm-simd-threaded.wasm"),
)


def package_files(package: Package = ORT_WEB) -> dict[str, bytes]:
    """The package's files by their last names, from the cache or, the first time, from npm.

    $NPM_CONFIG_REGISTRY names another registry, as it does for npm.
    Raises: FileError when it cannot be fetched or is not the file that we know, with what to do.
    """
    path = cache_folder() / package.file
    if not path.exists():
        _fetch(package, path)
    data = path.read_bytes()
    if integrity(data) != package.integrity:
        raise FileError(
            f"{path}: is not {package.name} {package.version} (its SHA-512 is another). Remove it and try again."
        )
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:  # read, never unpacked
        found = {name: archive.extractfile(f"package/{name}") for name in package.files}
        return {name.rpartition("/")[2]: file.read() for name, file in found.items() if file}


def integrity(data: bytes) -> str:
    """A file's SHA-512 as npm writes it."""
    return "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()


def _fetch(package: Package, path: Path) -> None:
    registry = os.environ.get("NPM_CONFIG_REGISTRY") or REGISTRY
    if not registry.startswith(("https://", "http://")):
        raise SettingError(
            f"NPM_CONFIG_REGISTRY is {registry!r}; give an address that begins with https://, or unset it."
        )
    url = f"{registry.rstrip('/')}/{package.name}/-/{package.file}"
    print(f"Fetching {package.file} ({package.bytes / 1e6:.0f} MB, once) from {registry}", file=sys.stderr)
    try:
        with urlopen(Request(url, headers={"User-Agent": "linnet"}), timeout=WAIT) as answer:
            data = answer.read(package.bytes + 1)  # a longer one is not it either
    except (
        OSError,
        ValueError,
        HTTPException,
    ) as error:  # no network, no such host, a certificate, an answer cut short
        said = f"HTTP {error.code}" if isinstance(error, HTTPError) else getattr(error, "reason", None) or error
        raise FileError(
            f"{package.name} {package.version} cannot be fetched ({said}). Try again, or bring the file {package.file}"
            f" from elsewhere (npm pack {package.name}@{package.version}, or {url}) and put it here: {path}"
        ) from None
    if integrity(data) != package.integrity:
        raise FileError(
            f"{url}: is not {package.name} {package.version} (its SHA-512 is another), so it was not kept. Try again, or"
            f" bring the right file from elsewhere and put it here: {path}"
        )
    with written_whole(path) as temporary:
        temporary.write_bytes(data)
