"""Resize photos once, so that every later reading of them is a copy from memory; and the verb `pack`."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..cores import available_cores
from ..errors import DataError, FileError, SettingError

if TYPE_CHECKING:
    from .shard import Member, Packed
    from .source import Finding, Photo, Photos

AHEAD = 16  # pictures per thread that wait to be written
SMALLEST, LARGEST = 16, 4096  # of the short side


@dataclass(frozen=True)
class Pack:
    """What `pack` made."""

    folder: Path
    image: int
    photos: int
    shards: int
    size_bytes: int
    left_out: tuple[Finding, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "folder": str(self.folder),
            "image": self.image,
            "photos": self.photos,
            "shards": self.shards,
            "size_bytes": self.size_bytes,
            "left_out": [{"path": f.path, "reason": f.reason} for f in self.left_out],
        }

    def __str__(self) -> str:
        lines = [
            f"{self.folder}: {self.photos:,} photos, short side {self.image} pixels or as small as they were,"
            f" {self.size_bytes / 1e6:,.0f} MB in {self.shards} shard{'s' * (self.shards != 1)}"
        ]
        if self.left_out:
            lines += ["", f"Left out ({len(self.left_out):,}):", *(f"  {f.path}: {f.reason}" for f in self.left_out)]
        return "\n".join([*lines, "", f"try      linnet train {self.folder}"])


def pack(photos: Path, *, image: int = 256, quality: int | None = None, out: Path | None = None) -> Pack:
    """Resize a folder of photos once and store their pixels, so that training need not decode them.

    The new folder stands for the photos in every verb: `linnet train PACK`. It holds tar files of plain pixmaps (PPM) and
    an index.json. Evaluation of it sees the resized pictures. The photos themselves are only read; nothing is overwritten.

    Args:
        photos: Folder of photos or CSV, as for `linnet doctor`.
        image: Short side in pixels; a smaller photo stays as it is. About 1.4 times the images that a network will see.
        quality: Store JPEGs of this quality, 1 to 100, instead of pixels: a tenth of the space, slower to read.
        out: The new folder; by default PHOTOS-packed beside it. It must not be there yet.
    """
    from ..files import sync_folder
    from .doctor import examine
    from .index import INDEX, Row, check_number, is_pack, write_index
    from .source import find_photos

    check_side(image)
    if quality is not None and not 1 <= quality <= 100:
        raise SettingError(f"quality={quality} is not allowed; give 1 to 100, or leave it out for raw pixels.")
    root = Path(photos)
    if is_pack(root):
        raise DataError(f"{root} is packed already. Give the photos that it was made of.")
    place = Path(out) if out is not None else root.absolute().with_name(f"{root.absolute().stem}-packed")
    if os.path.lexists(place):
        raise FileError(f"{place} is there already, and nothing is overwritten. Give another folder with --out.")
    listed = find_photos(root, validation=0, test=0)
    check_number(sum(map(len, listed.splits.values())), str(root))
    found = examine(listed, max_bad=1, alike=False).photos
    chosen = [(split, photo) for split, members in found.splits.items() for photo in members]
    bad: list[Finding] = []
    temporary = new_folder_beside(place)
    try:
        packed = write_packed(temporary, chosen, image, quality=quality)
        rows = []
        for number, ((split, photo), one) in enumerate(zip(chosen, packed, strict=True)):
            if isinstance(one, str):  # it went bad since it was examined
                bad.append(finding_of(photo, found, one))
            else:
                rows.append(Row(one, photo.labels, split, photo.digest, original(photo.path, found.root, number)))
        made = [] if found.was_split else [split for split, members in found.splits.items() if members]
        write_index(
            temporary, rows, image=image, quality=quality, classes=found.classes, splits=made,
            several=found.several, findings=findings_of_pack(root, listed, (*found.findings, *bad)),
        )  # fmt: skip
        size = sum(path.stat().st_size for path in temporary.iterdir())
        shards = sum(path.name != INDEX for path in temporary.iterdir())
        temporary.chmod(0o755)
        sync_folder(temporary)  # a power cut leaves the whole pack or none
        temporary.rename(place)
        sync_folder(place.parent)
    except OSError as error:
        raise FileError(
            f"{place}: cannot be written ({error.strerror or error}). Free some space, or give another --out."
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    left_out = tuple(f for f in (*found.findings, *bad) if f.verdict in ("quarantined", "left out"))
    return Pack(place, image, len(rows), shards, size, left_out)


def findings_of_pack(root: Path, listed: Photos, findings: Sequence[Finding]) -> list[Finding]:
    """What a pack says of its originals: the bad ones are left out, and what every reading of it finds anew is not kept."""
    from .listing import list_photos

    kept = set(list_photos(root).findings)
    anew = {f for f in listed.findings if f.verdict in ("note", "problem")} - kept
    return [
        replace(f, verdict="left out") if f.verdict == "quarantined" else f
        for f in findings
        if f not in anew and f.verdict != "problem"
    ]


def pack_training(photos: Photos, image: int, folder: Path, *, upright: bool) -> Photos:
    """The same photos, those of train to be read from pixels that are now resized and kept in `folder`.

    A packed picture is a function of the photo and `image` (and `upright`), so a run that goes on packs the same again.
    A photo that cannot be read any more stays as it is: the loader says so each time that it is asked for.
    Raises: FileError where there is no room.
    """
    remove_pack(folder)
    given = [photo for photo in photos.train if photo.packed is None]  # others were resized before
    needed, free = size_of(given, image, upright=upright), shutil.disk_usage(folder.parent).free
    if needed > free:
        raise FileError(
            f"{folder.parent}: {free:,} bytes free; the training photos resized once to {image} pixels take {needed:,}."
            ' Free some space, or put "pack": null into the recipe: then every photo is decoded anew in each epoch.'
        )
    folder.mkdir()
    try:
        found = write_packed(folder, [("train", photo) for photo in given], image, upright=upright)
    except OSError as error:
        remove_pack(folder)
        raise FileError(
            f"{folder}: cannot be written ({error.strerror or error}). Free some space and try again."
        ) from error
    answers = iter(found)
    train = (
        photo if photo.packed or isinstance(one := next(answers), str) else replace(photo, packed=one)
        for photo in photos.train
    )
    return replace(photos, train=tuple(train))


def remove_pack(folder: Path) -> None:
    """Take a run's packed pictures away, if they are there."""
    from .shard import opened

    opened.cache_clear()  # an open map would keep the space, and on Windows the file
    if folder.is_dir() and not folder.is_symlink():
        shutil.rmtree(folder, ignore_errors=True)


def write_packed(
    folder: Path, photos: Sequence[tuple[str, Photo]], image: int, *, quality: int | None = None, upright: bool = True
) -> list[Packed | str]:
    """Resize the (split, photo)s and write them to shards in `folder`; for one that cannot be read, why.

    Threads: Pillow and torch let go of Python's lock while they decode and resize, so processes would gain nothing and
    cost their start. What comes out does not depend on their number.
    """
    from .image import BadImage
    from .shard import write_shards

    answers: list[Packed | str] = [""] * len(photos)
    places: list[int] = []

    def good() -> Iterator[Member]:
        jobs = (
            (photo, f"{split}/{max(photo.label, 0):05}/{number:07}", image, quality, upright)
            for number, (split, photo) in enumerate(photos)
        )
        for place, member in enumerate(in_order(resized_once, jobs)):
            if isinstance(member, BadImage):
                answers[place] = member.text
            else:
                places.append(place)
                yield member

    for n, packed in enumerate(write_shards(folder, good(), jpeg=quality is not None)):
        answers[places[n]] = packed
    return answers


def in_order(work: Callable[..., Any], jobs: Iterator[tuple[Any, ...]]) -> Iterator[Any]:
    """What `work(*job)` gives for each of the jobs, in their order; all cores work, a few results ahead."""
    cores = available_cores()
    waiting: deque[Future[Any]] = deque()
    with ThreadPoolExecutor(cores) as pool:
        for job in jobs:
            waiting.append(pool.submit(work, *job))
            if len(waiting) > AHEAD * cores:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def resized_once(photo: Photo, name: str, image: int, quality: int | None, upright: bool) -> Any:
    """A shard's Member of the photo, its short side at most `image` pixels; or the BadImage that it is."""
    import numpy as np
    from PIL import Image

    from .augment import resized
    from .image import BadImage, open_image
    from .shard import Member

    try:
        picture = open_image(photo.file, at_least=2 * image, upright=upright)
    except BadImage as error:
        return error
    size, pixels = small_size(*picture.size, image), np.asarray(picture)
    if size != picture.size:
        pixels = resized(pixels, *size, "bicubic")
    if quality is None:
        return Member(f"{name}.ppm", *size, pixels.tobytes())
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return Member(f"{name}.jpg", *size, file.getvalue())


def small_size(width: int, height: int, image: int) -> tuple[int, int]:
    """(width, height) with the short side at `image`, or as it is where that would enlarge it."""
    scale = min(1.0, image / min(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def size_of(photos: Sequence[Photo], image: int, *, upright: bool) -> int:
    """Bytes that the photos will take as raw pixels in tar files, from their headers."""
    from .image import BadImage, read_size

    total = 0
    for photo in photos:
        try:
            width, height = small_size(*read_size(photo.path, upright=upright), image)
        except BadImage:
            continue
        total += 3 * width * height + 1536
    return total


def check_side(image: int) -> None:
    if not SMALLEST <= image <= LARGEST:
        raise SettingError(f"image={image} is not allowed; give a short side of {SMALLEST} to {LARGEST} pixels.")


def new_folder_beside(place: Path) -> Path:
    """A temporary folder where `place` will be, so that a rename brings it there. Raises: FileError."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(dir=place.parent, prefix=f".{place.name}.", suffix=".tmp"))
    except OSError as error:
        raise FileError(
            f"{place}: cannot be written ({error.strerror or error}). Give another folder with --out."
        ) from error


def original(path: Path, root: Path, number: int) -> str:
    """The photo's path below `root`, printable; a name of its own for one that lies elsewhere (in a CSV)."""
    from .image import shown_name

    inside = shown_name(path.relative_to(root).as_posix()) if path.is_relative_to(root) else ".."
    return inside if ".." not in inside.split("/") else f"elsewhere/{number}/{shown_name(path.name)}"


def finding_of(photo: Photo, photos: Photos, reason: str) -> Finding:
    from .listing import Finding

    label = photos.classes[photo.label] if photo.label >= 0 else ""
    return Finding(original(photo.path, photos.root, 0), "quarantined", reason, label)
