"""A bundle as one file, NAME.linnet.zip: what is sent, and read as the folder is."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

from ..errors import SettingError
from ..files import written_whole
from ..weights.archive import MOST_BYTES
from .bundle import Bundle, read_bundle
from .manifest import MANIFEST

ENDING = ".zip"
DATE = (1980, 1, 1, 0, 0, 0)  # the same bundle gives the same bytes


def demand_free(path: Path) -> None:
    """Raises: SettingError when something is there already; nothing is ever overwritten."""
    if os.path.lexists(path):
        raise SettingError(f"{path}: there is something there already. Give another name with --out, or move it away.")


def zip_of(folder: Path) -> Path:
    """Where a bundle's zip goes: beside it."""
    return folder.with_name(folder.name + ENDING)


def zip_bundle(bundle: Bundle) -> Path:
    """Write a bundle beside its folder as one zip, whole or not at all, and read it back as a stranger would.

    Its files lie in a folder of the bundle's name, uncompressed: weights hardly shrink, and what is not compressed cannot
    unfold. Files that bundle.json does not list are left out.
    Raises: SettingError when something is there already or it is too large, WeightsError when what was written does not read back.
    """
    path, name = zip_of(bundle.folder), bundle.folder.name
    demand_free(path)
    size = sum(entry["bytes"] for entry in bundle.facts["files"].values()) + (bundle.folder / MANIFEST).stat().st_size
    if size > MOST_BYTES:
        raise SettingError(
            f"{bundle.folder}: its files are {size / 1e6:,.0f} MB, and Linnet reads zips up to {MOST_BYTES / 1e6:,.0f} MB."
            " Send the folder, or export fewer runtimes."
        )
    with written_whole(path) as temporary:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED, allowZip64=False) as archive:
            for file in (MANIFEST, *sorted(bundle.facts["files"])):
                entry = zipfile.ZipInfo(f"{name}/{file}", DATE)
                entry.external_attr = 0o100644 << 16
                entry.create_system = 3  # Unix, wherever it is written
                archive.writestr(entry, (bundle.folder / file).read_bytes())
        temporary.chmod(0o644)
        read_bundle(temporary)
        demand_free(path)
    return path
