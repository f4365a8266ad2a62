"""Open one picture, whatever it is: upright, RGB, whole, or a `BadImage` that says in plain English why not.

The only place where a file becomes pixels: the doctor, training, evaluation and the server all come here, and the text of
this file is copied into every bundle's `predict.py`. Hence standard library, numpy and Pillow only.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import stat
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO

import numpy as np
from PIL import BmpImagePlugin, GifImagePlugin, Image, JpegImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin

from ..errors import LinnetError

try:
    from PIL import AvifImagePlugin
except ImportError:  # an older or smaller Pillow
    AvifImagePlugin = None

Source = str | os.PathLike | bytes

# Each reader is called directly, not through Image.open(formats=...): that tries every decoder in turn, refuses by a
# process-wide pixel limit instead of ours, and turns a JPEG with several pictures into another format (MPO).
READERS = {
    "JPEG": JpegImagePlugin.JpegImageFile,
    "PNG": PngImagePlugin.PngImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
}
if AvifImagePlugin is not None and getattr(AvifImagePlugin, "SUPPORTED", False):
    READERS["AVIF"] = AvifImagePlugin.AvifImageFile

NAMES = {"JPEG": "jpg jpeg jpe jfif mpo", "PNG": "png apng", "WEBP": "webp", "GIF": "gif", "BMP": "bmp dib"}
NAMES |= {"TIFF": "tif tiff", "AVIF": "avif avifs"}

# EXIF orientation -> the transposition that brings the picture upright.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

logging.getLogger("PIL").addHandler(logging.NullHandler())  # Pillow's complaints about a file come back as BadImage
_quiet_lock = threading.Lock()
if hasattr(os, "register_at_fork"):  # a loader worker forked while another thread held the lock must not wait for ever
    os.register_at_fork(after_in_child=lambda: globals().update(_quiet_lock=threading.Lock()))


class BadImage(LinnetError):
    """A picture that cannot be used. `reason` is a short code, `text` the sentence, `name` the file if there is one.

    Codes: empty file, not an image, unsupported format, too many pixels, truncated, damaged, not a file, missing,
    cannot be read.
    """

    def __init__(self, reason: str, text: str, name: str = "") -> None:
        super().__init__(reason, text, name)
        self.reason, self.text, self.name = reason, text, name

    def __str__(self) -> str:
        return f"{self.name}: {self.text}" if self.name else self.text


@dataclass(frozen=True)
class Limits:
    """What a header may announce before anything is decoded: pixels in all, pixels on a side, scans of a JPEG."""

    pixels: int = 200_000_000
    side: int = 65_500
    scans: int = 500  # a progressive JPEG has about ten; thousands of them take minutes to decode


TRAINING = Limits()
SERVER = Limits(25_000_000, 16_384)


def open_image(
    source: Source,
    *,
    limits: Limits = TRAINING,
    at_least: int | tuple[int, int] | Callable[[int, int], tuple[int, int]] | None = None,
    notes: list[str] | None = None,
    upright: bool = True,
) -> Image.Image:
    """Decode a file or its bytes into an upright RGB picture, fully loaded, with the file closed.

    A large JPEG is decoded at 1/2, 1/4 or 1/8 as long as both sides stay `at_least` (width, height) pixels, as seen
    upright; a function is asked with the header's (width, height). What was unusual but understood (turned, animated, CMYK, transparent, ...) is appended to `notes`.
    `upright=False` leaves the EXIF orientation unapplied, for networks that were trained so.

    Raises:
        BadImage: for everything that cannot be used, whatever Pillow raised.
    """
    notes = [] if notes is None else notes
    with _opened(source) as (file, head, size):
        kind = _kind(head, size)
        with _explained(kind, head, size):
            with _quiet(notes):
                picture = READERS[kind](file)
                turn = _turn(picture, file, notes)
            _check(picture, kind, file, limits)
            across = -1 if turn >= 5 and upright else 1  # such a picture lies on its side
            least = at_least(*picture.size[::across]) if callable(at_least) else at_least
            if least is not None and kind == "JPEG":
                picture.draft(None, ((least, least) if isinstance(least, int) else least)[::across])
            _note_container(picture, kind, source, notes)
            packed = picture.tile[0][3] if picture.tile else ""
            picture.load()
            rgb = _to_rgb(picture, str(packed[0] if isinstance(packed, tuple) else packed), notes)
            if upright and turn in TURNS:
                rgb = rgb.transpose(TURNS[turn])
            if turn in TURNS or turn < 0:
                turned = upright or turn < 0
                notes.append("turned upright by its EXIF orientation" if turned else "EXIF orientation not applied")
            if rgb is picture and (kind != "JPEG" or turn in TURNS):
                rgb = rgb.copy()  # only a JPEG lets go of its file by itself
            rgb.info = {}  # an EXIF block left here would turn the picture a second time
            return rgb


def read_size(source: Source, *, upright: bool = True) -> tuple[int, int]:
    """(width, height) from the header alone, of the picture as `open_image` gives it.

    Raises:
        BadImage: as `open_image`, as far as the header shows it.
    """
    with _opened(source) as (file, head, size):
        kind = _kind(head, size)
        with _explained(kind, head, size):
            with _quiet([]):
                picture = READERS[kind](file)
                turn = _turn(picture, file, [])
            wide, high = picture.size
            return (high, wide) if turn >= 5 and upright else (wide, high)


def shown_name(path: str | os.PathLike) -> str:
    """A path that can be printed and written as JSON: bytes that are no text and control characters are escaped."""
    text = os.fspath(path).encode("utf-8", "backslashreplace").decode("utf-8")
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


@contextlib.contextmanager
def open_regular(path: str | os.PathLike) -> Iterator[IO[bytes]]:
    """Open a regular file for reading; never wait on a pipe, a device or a socket.

    Raises:
        BadImage: not a file, missing, cannot be read.
    """
    try:
        mode = os.stat(path).st_mode  # before opening: opening a device can already do something
        if not stat.S_ISREG(mode):
            kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket"}
            kind = kinds.get(stat.S_IFMT(mode), "a device")
            raise BadImage("not a file", f"it is {kind}, not a file", shown_name(path))
        flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
        handle = os.open(path, flags)
    except FileNotFoundError:
        text = "a link that leads nowhere" if os.path.islink(path) else "there is no such file"
        raise BadImage("missing", text, shown_name(path)) from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise BadImage("cannot be read", f"it cannot be read ({why})", shown_name(path)) from None
    with open(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):  # swapped since the look above
            raise BadImage("not a file", "it is not a regular file", shown_name(path))
        yield file


def image_kind(head: bytes) -> str | None:
    """The format by content, from the first 32 bytes: a key of `READERS`, or None."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp" and (head[8:12] in (b"avif", b"avis") or (head[8:12] == b"mif1" and b"avif" in head[16:])):
        return "AVIF" if "AVIF" in READERS else None
    signs = {b"\xff\xd8\xff": "JPEG", b"\x89PNG\r\n\x1a\n": "PNG", b"GIF87a": "GIF", b"GIF89a": "GIF", b"BM": "BMP"}
    signs |= dict.fromkeys((b"II*\0", b"MM\0*", b"II+\0\x08\0\0\0", b"MM\0+\0\x08\0\0"), "TIFF")
    return next((kind for sign, kind in signs.items() if head.startswith(sign)), None)


def refusal(head: bytes, size: int) -> BadImage:
    """Why a file whose first bytes are `head` and whose format is none of ours is no picture: what it seems to be."""
    if size == 0:
        return BadImage("empty file", "the file is empty (0 bytes)")
    readable = f"Linnet reads {', '.join(READERS)}"
    other = _other_image(head)
    if other:
        return BadImage("unsupported format", f"{other} is not supported; {readable}: convert it")
    return BadImage("not an image", f"not an image (looks like {_other_content(head)}); {readable}")


def _other_image(head: bytes) -> str | None:
    if head[4:8] == b"ftyp" and head[8:12] in (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1", b"avif"):
        return "HEIC" if head[8:12] != b"avif" else "AVIF"
    signs = {b"8BPS": "Photoshop (PSD)", b"\0\0\1\0": "an icon (ICO)", b"\0\0\0\x0cjP  ": "JPEG 2000"}
    signs |= {b"\xff\x4f\xff\x51": "JPEG 2000", b"\0\0\0\x0cJXL ": "JPEG XL", b"\xff\x0a": "JPEG XL"}
    signs |= {b"%!PS": "PostScript (EPS)", b"\xc5\xd0\xd3\xc6": "PostScript (EPS)", b"SIMPLE  =": "FITS"}
    signs |= {b"P%d" % n + end: "a portable map (PNM)" for n in range(1, 7) for end in (b"\n", b" ")}
    return next((name for sign, name in signs.items() if head.startswith(sign)), None)


def _other_content(head: bytes) -> str:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return "HTML"
    if text.startswith((b"<svg", b"<?xml", b"<!--", b"<!doctype svg")):
        return "SVG" if b"<svg" in text or b"doctype svg" in text else "XML"
    if text.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer: run `git lfs pull`"
    signs = {b"%PDF": "PDF", b"PK\3\4": "a ZIP archive", b"\x1f\x8b": "a gzip file", b"Rar!": "a RAR archive"}
    signs |= {b"\0\5\x16\7": "macOS metadata (AppleDouble)", b"{": "JSON", b"[": "JSON", b"\x1aE\xdf\xa3": "a video"}
    found = next((name for sign, name in signs.items() if head.startswith(sign)), None)
    if found or head[4:8] == b"ftyp":
        return found or "a video"
    if not any(head):
        return "nothing but zero bytes"
    printable = sum(32 <= byte < 127 or byte in b"\t\r\n" for byte in head)
    return "text" if printable == len(head) else "unknown data"


@contextlib.contextmanager
def _opened(source: Source) -> Iterator[tuple[IO[bytes], bytes, int]]:
    """The file at its start, its first 256 bytes and its size; a `BadImage` that passes gets the file's name."""
    if isinstance(source, bytes | bytearray | memoryview):
        data = bytes(source)
        yield io.BytesIO(data), data[:256], len(data)
        return
    try:
        with open_regular(source) as file:
            head = file.read(256)
            size = os.fstat(file.fileno()).st_size
            file.seek(0)
            yield file, head, size
    except BadImage as error:
        raise (error if error.name else BadImage(error.reason, error.text, shown_name(source))) from None
    except OSError as error:  # a failing disk while reading the first bytes
        raise BadImage("cannot be read", f"it cannot be read ({error})", shown_name(source)) from None


def _kind(head: bytes, size: int) -> str:
    kind = image_kind(head)
    if kind is None:
        raise refusal(head, size)
    return kind


@contextlib.contextmanager
def _explained(kind: str, head: bytes, size: int) -> Iterator[None]:
    """Turn whatever a decoder raises into BadImage. Pillow's list is open-ended: OSError, SyntaxError, ValueError, ..."""
    try:
        yield
    except BadImage:
        raise
    except Exception as error:
        text = " ".join(str(error).split())[:120] or type(error).__name__
        text = text.replace("not identified by this driver", "its header makes no sense")
        announced = int.from_bytes(head[4:8], "little") + 8 if kind == "WEBP" else 0
        if isinstance(error, MemoryError) or "too large" in text.lower() or "exceeds limit" in text:
            raise BadImage("too many pixels", f"a {kind} that would unpack to too much data ({text})") from None
        if isinstance(error.__cause__ or error, EOFError) or "truncated" in text.lower() or announced > size:
            raise BadImage("truncated", f"the {kind} is truncated: its end is missing; copy it again") from None
        raise BadImage("damaged", f"the {kind} is damaged ({text})") from None


@contextlib.contextmanager
def _quiet(notes: list[str]) -> Iterator[None]:
    """Catch what Pillow warns of while it reads the header, and note it. One at a time: warning filters are global."""
    with _quiet_lock, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    if any(not issubclass(warning.category, Image.DecompressionBombWarning) for warning in caught):
        notes.append("damaged metadata not used")


def _turn(picture: Image.Image, file: IO[bytes], notes: list[str]) -> int:
    """EXIF orientation, 1 to 8; -1 for a TIFF that is turned, since Pillow turns those by itself."""
    if isinstance(picture, TiffImagePlugin.TiffImageFile):
        return -1 if picture.tag_v2.get(0x0112, 1) in TURNS else 1
    try:
        if picture.format == "PNG" and "exif" not in picture.info:
            late = _late_exif(file)
            if late:
                picture.info["exif"] = late
        turn = Image.Image.getexif(picture).get(0x0112, 1)  # the base method: PNG's own would decode the whole picture
        return turn if turn in TURNS else 1
    except Exception:  # a broken EXIF block raises anything; the pixels are still good
        notes.append("damaged metadata not used")
        return 1


def _late_exif(file: IO[bytes]) -> bytes | None:
    """The EXIF block of a PNG that carries it behind the pixels, as some programs write it."""
    here = file.tell()
    file.seek(8)
    found = None
    while len(start := file.read(8)) == 8:
        length = int.from_bytes(start[:4], "big")
        if start[4:] == b"eXIf":
            found = file.read(min(length, 1 << 20))
            break
        if start[4:] == b"IEND":
            break
        file.seek(length + 4, os.SEEK_CUR)
    file.seek(here)
    return found


def _check(picture: Image.Image, kind: str, file: IO[bytes], limits: Limits) -> None:
    wide, high = picture.size
    if wide * high > limits.pixels or max(wide, high) > limits.side:
        allowed = f"{limits.pixels:,} pixels and {limits.side:,} on a side"
        raise BadImage("too many pixels", f"{wide:,} x {high:,} pixels; allowed are {allowed}: scale it down")
    if kind == "JPEG" and "progressive" in picture.info:
        here = file.tell()
        file.seek(0)
        scans = sum(block.count(b"\xff\xda") for block in iter(lambda: file.read(1 << 20), b""))
        file.seek(here)
        if scans > limits.scans:
            raise BadImage("too many pixels", f"a JPEG of {scans:,} scans; allowed are {limits.scans:,}: save it anew")


def _note_container(picture: Image.Image, kind: str, source: Source, notes: list[str]) -> None:
    """Note what the file holds besides one plain sRGB picture."""
    if "mp" in picture.info or "mpoffset" in picture.info:
        notes.append("several pictures in one JPEG (MPO): the first is used")
    elif kind in ("GIF", "PNG", "WEBP", "AVIF", "TIFF") and _several_frames(picture):
        several = "TIFF of several pages: the first is used"
        notes.append(several if kind == "TIFF" else f"animated {kind}: the first frame is used")
    profile = picture.info.get("icc_profile")
    if profile and picture.mode in ("RGB", "RGBA", "P") and b"sRGB" not in profile.replace(b"\0", b""):
        notes.append("colour profile other than sRGB: not applied")
    if isinstance(source, str | os.PathLike):
        ending = os.path.splitext(os.fspath(source))[1].lower().lstrip(".")
        if ending and ending not in NAMES[kind].split() and any(ending in names.split() for names in NAMES.values()):
            notes.append(f"{kind} by content, .{ending} by name")


def _several_frames(picture: Image.Image) -> bool:
    with contextlib.suppress(Exception):  # damage behind the first frame does not matter
        return bool(getattr(picture, "is_animated", False))
    return False


def _to_rgb(picture: Image.Image, packed: str, notes: list[str]) -> Image.Image:
    """RGB as a person expects it: 16 bits scaled, not clipped; float by its range; transparency over white."""
    mode = picture.mode
    if mode.startswith("I") or mode == "F":
        notes.append(f"{'float' if mode == 'F' else '16-bit'} grey brought to 8 bits")
        return Image.fromarray(_eight_bits(picture)).convert("RGB")
    if ";16" in packed:
        notes.append("16-bit colour brought to 8 bits")
    if mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info:
        seen = picture.convert("RGBA")
        alpha = seen.getchannel("A")
        if alpha.getextrema()[0] == 255:
            return seen.convert("RGB")
        notes.append("transparency put over white")
        white = Image.new("RGB", seen.size, "white")
        white.paste(seen.convert("RGB"), mask=alpha)
        return white
    if mode in ("CMYK", "LAB", "YCbCr", "HSV"):
        notes.append(f"{mode} colours converted to RGB")
    return picture if mode == "RGB" else picture.convert("RGB")


def _eight_bits(picture: Image.Image) -> np.ndarray:
    values = np.asarray(picture)
    if picture.mode.startswith("I;16"):
        grey = (values.astype(np.uint32) + 128) // 257
        clear = picture.info.get("transparency")
        return (
            np.where(values == clear, 255, grey).astype(np.uint8) if isinstance(clear, int) else grey.astype(np.uint8)
        )
    if not np.isfinite(values).all():
        raise BadImage("damaged", "it holds values that are no numbers (NaN or infinity)")
    low, high = float(values.min()), float(values.max())
    if low < 0 or high > 65535:
        text = f"its values go from {low:g} to {high:g}; readable are 0 to 1, 0 to 255 and 0 to 65535"
        raise BadImage("unsupported format", text)
    top = 65535 if high > 255 else 255 if high > 1 or picture.mode == "I" else 1
    return (values.astype(np.float64) * (255 / top) + 0.5).astype(np.uint8)
