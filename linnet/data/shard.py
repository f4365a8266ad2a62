"""Packed pictures: raw pixels (or JPEGs) in plain tar files, read in place through one memory map per file.

A shard holds `SPLIT/LABEL/NUMBER.ppm`, each a whole portable pixmap (P6) that any tool can open. We never unpack one: a
picture is read where the index says it lies, after its own header has said the same. `check` compares the tar header and
the CRC of every byte too: the doctor and every evaluation call it, the reading of a training's batches does not.
"""

from __future__ import annotations

import functools
import mmap
import os
import re
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from .image import BadImage, open_image, open_regular

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

SHARD = "photos-{:05d}.tar"
MEMBER = re.compile(r"(train|validation|test)/\d{5,}/\d{7,}\.(ppm|jpg)")
BLOCK = 512  # of a tar file
LIMIT = 500_000_000  # bytes of a shard that we write, and of a picture in one that we read
SIDE = 65_500  # pixels; as image.Limits


@dataclass(frozen=True)
class Packed:
    """Where a packed picture lies: `size` bytes from `offset` on in the file `shard`, upright RGB of width x height.

    crc: CRC-32 of these bytes. jpeg: they are a JPEG's, else raw pixels, row after row.
    """

    shard: str
    member: str
    offset: int
    size: int
    width: int
    height: int
    crc: int
    jpeg: bool = False

    def data(self) -> memoryview:
        """The bytes, in place. Raises: BadImage when the shard does not hold there what the index says."""
        whole, end = opened(self.shard), self.offset + self.size
        if end > len(whole):
            raise self._bad("its shard ends before it does")
        if not self.jpeg and whole[self.offset - len(self.header) : self.offset] != self.header:
            raise self._bad("its shard holds something else there")
        return memoryview(whole)[self.offset : end]

    @property
    def header(self) -> bytes:
        """What stands between the tar's header and the bytes."""
        return b"" if self.jpeg else pixmap_header(self.width, self.height)

    def pixels(self) -> np.ndarray:
        """uint8 [height, width, 3]; of raw pixels a view that cannot be written to. Raises: BadImage."""
        import numpy as np

        if self.jpeg:
            return np.asarray(self.picture())
        return np.frombuffer(self.data(), np.uint8).reshape(self.height, self.width, 3)

    def picture(self) -> Image.Image:
        """The same as a Pillow picture. Raises: BadImage."""
        from PIL import Image

        return open_image(bytes(self.data())) if self.jpeg else Image.fromarray(self.pixels())

    def check(self) -> None:
        """Raises: BadImage unless every byte is as it was written, under a tar header that says so."""
        whole, start = opened(self.shard), self.offset - len(self.header) - BLOCK
        try:
            info = tarfile.TarInfo.frombuf(whole[start : start + BLOCK], "utf-8", "strict") if start >= 0 else None
        except (tarfile.HeaderError, UnicodeDecodeError):  # a name that is no text
            info = None
        if info is None or not info.isreg() or info.name != self.member or info.size != len(self.header) + self.size:
            raise self._bad(f"its shard does not hold {self.member} there")
        if zlib.crc32(self.data()) != self.crc:
            raise self._bad("its bytes have changed since it was packed")

    def _bad(self, text: str) -> BadImage:
        return BadImage("damaged", f"packed picture: {text}; pack the photos anew with `linnet pack`", self.shard)


@functools.lru_cache(maxsize=1024)  # per process: a picture costs no opening of a file
def opened(shard: str) -> mmap.mmap:
    """A shard's memory map. Raises: BadImage for what is no regular file; links are followed as for any photo."""
    with open_regular(shard) as file:
        try:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise BadImage("cannot be read", f"the shard cannot be read ({error})", shard) from None


def pixmap_header(width: int, height: int) -> bytes:
    return b"P6\n%d %d\n255\n" % (width, height)


@dataclass(frozen=True)
class Member:
    """A picture on its way into a shard: upright, and `data` its raw pixels or its JPEG."""

    name: str
    width: int
    height: int
    data: bytes


def write_shards(folder: Path, members: Iterable[Member], *, jpeg: bool, limit: int = LIMIT) -> Iterator[Packed]:
    """Write the members to `folder`, in this order, into tar files of at most `limit` bytes (one picture may be larger).

    The same pictures give the same bytes. Raises: OSError as the system does.
    """
    number, file = 0, None
    try:
        for member in members:
            header = b"" if jpeg else pixmap_header(member.width, member.height)
            info = tarfile.TarInfo(member.name)  # its defaults: owner 0, date 0
            info.size = len(header) + len(member.data)
            padding = -info.size % BLOCK
            if file is not None and file.tell() + BLOCK + info.size + padding + 2 * BLOCK > limit:
                finish(file)
                number, file = number + 1, None
            if file is None:
                file = open(folder / SHARD.format(number), "xb")  # noqa: SIM115  closed by `finish`
            file.write(info.tobuf(tarfile.USTAR_FORMAT) + header)
            offset = file.tell()
            file.write(member.data)
            file.write(bytes(padding))
            shard, size, crc = str(folder / SHARD.format(number)), len(member.data), zlib.crc32(member.data)
            yield Packed(shard, member.name, offset, size, member.width, member.height, crc, jpeg)
        if file is not None:
            finish(file)
            file = None
    finally:
        if file is not None:
            file.close()


def finish(file: IO[bytes]) -> None:
    """The end of a tar; when this returns, it is on the disk."""
    file.write(bytes(2 * BLOCK))
    file.flush()
    os.fsync(file.fileno())
    file.close()
