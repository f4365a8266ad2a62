"""The nasty corpus: files as they turn up in real folders, each with the verdict that one would want.

`write_corpus(folder)` makes a data set with one class of good pictures and one of these; it gives {name: Wanted}.
"""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageCms


class Wanted(NamedTuple):
    verdict: str  # "ok" (not mentioned), or the verdict of its finding
    reason: str  # a part of the finding's reason


def picture(seed: int, wide: int = 60, high: int = 45) -> Image.Image:
    """A smooth coloured picture, different for each seed."""
    small = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((wide, high), Image.Resampling.BICUBIC)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def png(
    wide: int, high: int, rows: bytes, *, bits: int = 8, colour: int = 2, interlace: int = 0, extra: bytes = b""
) -> bytes:
    """A PNG from its raw (filtered) rows."""
    header = struct.pack(">IIBBBBB", wide, high, bits, colour, 0, 0, interlace)
    body = chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def interlaced_png(pixels: np.ndarray) -> bytes:
    """An Adam7 PNG, which Pillow reads but does not write."""
    passes = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
    parts = (pixels[y::dy, x::dx] for y, x, dy, dx in passes)
    rows = b"".join(b"\0" + row.tobytes() for part in parts if part.size for row in part)
    return png(pixels.shape[1], pixels.shape[0], rows, interlace=1)


def turned(seed: int, orientation: int, kind: str = "JPEG") -> bytes:
    """A picture that is stored so that `orientation` brings it upright."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    back = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Image.Transpose that undoes it
    image = picture(seed)
    if orientation in back:
        image = image.transpose(Image.Transpose(back[orientation]))
    return encoded(image, kind, exif=exif, **({"quality": 95} if kind == "JPEG" else {}))


def many_scans() -> bytes:
    data = encoded(picture(1), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * 600 + data[-2:]


def tiff_of_samples(samples: int) -> bytes:
    """A TIFF header that announces so many samples per pixel: libtiff itself complains on stderr."""
    tags = [
        (256, 3, 8),
        (257, 3, 8),
        (258, 3, 8),
        (259, 3, 1),
        (262, 3, 2),
        (273, 4, 8),
        (277, 3, samples),
        (279, 4, 64),
    ]
    rows = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    return b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(tags)) + rows + struct.pack("<I", 0) + bytes(64)


def other_profile() -> bytes:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile.replace(b"sRGB", b"Wide").replace("sRGB".encode("utf-16-be"), "Wide".encode("utf-16-be"))


def contents() -> dict[str, tuple[bytes, Wanted]]:
    """Name -> bytes and the verdict, for all that is a plain file."""
    bad, note, ignored, ok = (
        lambda reason: Wanted("quarantined", reason),
        lambda reason: Wanted("note", reason),
        lambda reason: Wanted("ignored", reason),
        Wanted("ok", ""),
    )
    jpeg, flat = encoded(picture(2, 200, 150), "JPEG"), encoded(picture(3, 200, 150), "PNG")
    webp, gif = encoded(picture(4, 200, 150), "WEBP", quality=90), encoded(picture(5, 200, 150), "GIF")
    tiff, bmp = encoded(picture(6, 200, 150), "TIFF"), encoded(picture(7, 200, 150), "BMP")
    rng = np.random.default_rng(0)
    clear = picture(8).convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(clear.size))
    palette = picture(9).quantize(16)
    deep = rng.integers(0, 65536, (45, 60), dtype=np.uint16)

    def several(kind: str) -> bytes:
        return encoded(picture(10), kind, save_all=True, append_images=[picture(11), picture(12)])

    bomb = zlib.compress(bytes(20_000_000))
    precise = bytearray(encoded(picture(13), "JPEG"))
    precise[precise.index(b"\xff\xc0") + 4] = 12
    flipped = bytearray(flat)
    flipped[len(flat) // 2] ^= 16
    broken_exif = b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + rng.bytes(40)
    deep_rgb = rng.integers(0, 65536, (9, 7, 3), dtype=np.uint16).astype(">u2")
    files = {
        # no picture at all
        "zero_bytes.jpg": (b"", bad("the file is empty")),
        "zeros_only.jpg": (bytes(5000), bad("zero bytes")),
        "page.jpg": (b"<!DOCTYPE html><html><body>404 Not Found</body></html>", bad("looks like HTML")),
        "drawing.jpg": (b'<svg xmlns="http://www.w3.org/2000/svg"><rect/></svg>', bad("looks like SVG")),
        "paper.jpg": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", bad("looks like PDF")),
        "archive.png": (b"PK\3\4" + bytes(100), bad("ZIP")),
        "clip.jpg": (b"\0\0\0\x18ftypisom" + bytes(100), bad("a video")),
        "pointer.jpg": (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", bad("git lfs pull")),
        "words.jpg": (b"remember the milk\n", bad("looks like text")),
        "answer.jpg": (b'{"error": "not found"}', bad("looks like JSON")),
        "random.jpg": (b"\x07" + rng.bytes(3000), bad("looks like unknown data")),
        # pictures of a kind that is not read
        "vector.jpg": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", bad("EPS")),
        "iphone.heic": (b"\0\0\0\x18ftypheic" + bytes(100), bad("HEIC is not supported")),
        "iphone_named.jpg": (b"\0\0\0\x18ftypheix" + bytes(100), bad("HEIC is not supported")),
        "layers.jpg": (b"8BPS\0\1" + bytes(100), bad("Photoshop")),
        "map.jpg": (b"P6\n2 2\n255\n" + bytes(12), bad("PNM")),
        # cut short or damaged
        "half.jpg": (jpeg[: len(jpeg) // 2], bad("truncated")),
        "without_last_two.jpg": (jpeg[:-2], bad("truncated")),
        "header_only.jpg": (jpeg[:20], bad("its header makes no sense")),
        "tenth.png": (flat[: len(flat) // 10], bad("truncated")),
        "nine_tenths.png": (flat[: len(flat) * 9 // 10], bad("truncated")),
        "half.webp": (webp[: len(webp) // 2], bad("truncated")),
        "half.gif": (gif[: len(gif) // 2], bad("truncated")),
        "half.tif": (tiff[: len(tiff) // 2], bad("tru")),
        "half.bmp": (bmp[: len(bmp) // 2], bad("truncated")),
        "flipped_bit.png": (bytes(flipped), bad("damaged")),
        "flipped_header.jpg": (bytes([jpeg[0], jpeg[1] ^ 1]) + jpeg[2:], bad("not an image")),
        "twelve_bit.jpg": (bytes(precise), bad("damaged")),
        "no_width.png": (png(0, 10, b""), bad("its header makes no sense")),
        "samples.tif": (tiff_of_samples(65535), bad("damaged")),
        "palette_only.gif": (b"GIF89a" + bytes(7), bad("truncated")),
        # more than it seems
        "text_bomb.png": (png(1, 1, bytes(4), extra=chunk(b"zTXt", b"a\0\0" + bomb)), bad("too much data")),
        "profile_bomb.png": (png(1, 1, bytes(4), extra=chunk(b"iCCP", b"a\0\0" + bomb)), bad("too much data")),
        "announced.png": (png(50_000, 50_000, b""), bad("allowed are")),
        "one_wide.png": (png(1, 170_000_000, bytes(2000)), bad("allowed are")),
        "long.png": (png(100_000, 10, bytes(2000)), bad("allowed are")),
        "large.png": (png(9_400, 9_400, bytes(9_401 * 9_400), colour=0), ok),
        "many_scans.jpg": (many_scans(), bad("scans")),
        # unusual and fine
        "png_named.jpg": (encoded(picture(20), "PNG"), note("PNG by content, .jpg by name")),
        "gif_named.jpg": (encoded(picture(21), "GIF"), note("GIF by content, .jpg by name")),
        "several.jpg": (several("MPO"), note("MPO")),
        "ink.jpg": (encoded(picture(22).convert("CMYK"), "JPEG"), note("CMYK")),
        "lab.tif": (lab_tiff(), note("LAB")),
        "one_bit.png": (encoded(picture(24).convert("1"), "PNG"), ok),
        "grey.jpg": (encoded(picture(25).convert("L"), "JPEG"), ok),
        "grey_clear.png": (encoded(clear.convert("LA"), "PNG"), note("over white")),
        "clear.png": (encoded(clear, "PNG"), note("over white")),
        "clear.webp": (encoded(clear, "WEBP"), note("over white")),
        "palette_clear.png": (encoded(palette, "PNG", transparency=3), note("over white")),
        "deep_grey.png": (encoded(Image.fromarray(deep), "PNG"), note("16-bit grey")),
        "deep_grey.tif": (encoded(Image.fromarray(deep), "TIFF"), note("16-bit grey")),
        "deep_colour.png": (
            png(7, 9, b"".join(b"\0" + row.tobytes() for row in deep_rgb), bits=16),
            note("16-bit colour"),
        ),
        "float.tif": (encoded(Image.fromarray(deep.astype(np.float32) / 65535), "TIFF"), note("float")),
        "moving.gif": (several("GIF"), note("animated GIF")),
        "moving.png": (several("PNG"), note("animated PNG")),
        "moving.webp": (several("WEBP"), note("animated WEBP")),
        "pages.tif": (several("TIFF"), note("TIFF of several pages")),
        "big.tif": (encoded(picture(26), "TIFF", big_tiff=True), ok),
        "packed.tif": (encoded(picture(27), "TIFF", compression="tiff_lzw"), ok),
        "broken_exif.jpg": (encoded(picture(28), "JPEG", exif=broken_exif), note("damaged metadata")),
        "other_profile.jpg": (encoded(picture(29), "JPEG", icc_profile=other_profile()), note("colour profile")),
        "progressive.jpg": (encoded(picture(30), "JPEG", progressive=True), ok),
        "interlaced.png": (interlaced_png(np.asarray(picture(31))), ok),
        "tail.jpg": (encoded(picture(32), "JPEG") + rng.bytes(500), ok),
        "dot.png": (encoded(picture(33, 1, 1), "PNG"), ok),
        "line.png": (encoded(picture(34, 1, 5000), "PNG"), ok),
        "UPPER.JPEG": (encoded(picture(35), "JPEG"), ok),
        # names
        "two\nlines.jpg": (encoded(picture(36), "JPEG"), ok),
        "n" * 251 + ".jpg": (encoded(picture(37), "JPEG"), ok),
        "-rf \u202egpj.jpg": (encoded(picture(38), "JPEG"), ok),
        "<img src=x onerror=alert(1)>.jpg": (encoded(picture(39), "JPEG"), ok),
        # what file managers and archives leave
        ".DS_Store": (b"\0\0\0\1Bud1", ignored("macOS")),
        "Thumbs.db": (b"\xd0\xcf\x11\xe0", ignored("Windows")),
        "desktop.ini": (b"[.ShellClassInfo]", ignored("Windows")),
        "._photo.jpg": (b"\0\5\x16\7" + bytes(40), ignored("macOS metadata")),
        ".hidden.jpg": (encoded(picture(40), "JPEG"), ignored("hidden")),
        "labels.txt": (b"cat", ignored("not a picture by its name (.txt)")),
        "README": (b"read me", ignored("no ending")),
    }
    for orientation in range(1, 9):
        wanted = note("turned upright") if orientation > 1 else ok
        files[f"orientation_{orientation}.jpg"] = (turned(50 + orientation, orientation), wanted)
    files["turned.png"] = (turned(60, 6, "PNG"), note("turned upright"))
    files["turned.tif"] = (turned(61, 6, "TIFF"), note("turned upright"))
    return files


def lab_tiff() -> bytes:
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    image = ImageCms.profileToProfile(picture(23), srgb, lab, outputMode="LAB")
    assert image is not None
    return encoded(image, "TIFF")


def write_corpus(folder: Path) -> dict[str, Wanted]:
    """Write the data set into `folder`: classes "good" (20 pictures) and "odd"; verdicts by the printable name."""
    good, odd, outside = folder / "photos" / "good", folder / "photos" / "odd", folder / "outside"
    for made in (good, odd, outside):
        made.mkdir(parents=True)
    for n in range(20):
        picture(1000 + n).save(good / f"{n}.jpg")
    wanted = {}
    for name, (data, verdict) in contents().items():
        try:
            (odd / name).write_bytes(data)
        except OSError:  # a file system that has no such names
            continue
        wanted[name.replace("\n", "\\n").replace("\u202e", "\\u202e")] = verdict
    (odd / "folder.jpg").mkdir()
    wanted["folder.jpg"] = Wanted("ignored", "a folder named like a picture")
    (odd / "more").mkdir()
    (odd / "more" / "inside.jpg").write_bytes(encoded(picture(70), "JPEG"))
    wanted["more"] = Wanted("note", "a folder inside the class folder: its 1 picture count")
    picture(71).save(outside / "linked.jpg")
    links = {
        "linked.jpg": (outside / "linked.jpg", Wanted("ok", "")),
        "nowhere.jpg": (outside / "absent.jpg", Wanted("quarantined", "a link that leads nowhere")),
        "circle.jpg": (odd / "circle.jpg", Wanted("quarantined", "cannot be read")),
        "zero_device.jpg": (Path("/dev/zero"), Wanted("quarantined", "a device")),
        "up": (folder / "photos", Wanted("ignored", "a link back")),
    }
    for name, (target, verdict) in links.items():
        (odd / name).symlink_to(target)
        wanted[name] = verdict
    os.mkfifo(odd / "pipe.jpg")
    wanted["pipe.jpg"] = Wanted("quarantined", "a named pipe")
    try:
        with open(os.fsencode(odd) + b"/caf\xe9.jpg", "wb") as file:
            file.write(encoded(picture(72), "JPEG"))
        wanted["caf\\udce9.jpg"] = Wanted("ok", "")
    except OSError:  # macOS takes UTF-8 names only
        pass
    if os.geteuid() != 0:  # root reads everything
        (odd / "locked.jpg").write_bytes(encoded(picture(73), "JPEG"))
        (odd / "locked.jpg").chmod(0)
        wanted["locked.jpg"] = Wanted("quarantined", "cannot be read (Permission denied)")
    return wanted


def write_messy(root: Path) -> dict[str, Wanted]:
    """The folder as a person has it, into `root`: 60 good pictures of each of three classes and 16 odd things.

    Gives {path below root: Wanted} of the odd files.
    """
    files = contents()
    odd = {
        "cat": ["zero_bytes.jpg", "half.jpg", "page.jpg", "ink.jpg", ".DS_Store"],
        "dog": ["deep_grey.png", "orientation_6.jpg", "moving.gif", "png_named.jpg", "Thumbs.db"],
        "owl": ["clear.png", "several.jpg", "broken_exif.jpg", "labels.txt"],
    }
    for c, (label, names) in enumerate(odd.items()):
        (root / label).mkdir(parents=True)
        for n in range(60):
            picture(10_000 + 60 * c + n, 24, 18).save(root / label / f"{n}.jpg")
        for name in names:
            (root / label / name).write_bytes(files[name][0])
    (root / "__MACOSX").mkdir()
    (root / "empty").mkdir()
    return {f"{label}/{name}": files[name][1] for label, names in odd.items() for name in names}
