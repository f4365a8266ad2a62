from __future__ import annotations

import dataclasses
import io
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from linnet.data.image import BadImage
from linnet.data.shard import BLOCK, Member, Packed, opened, write_shards


def picture(seed: int, width: int, height: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def members(n: int = 5) -> list[Member]:
    return [Member(f"train/00000/{i:07}.ppm", 20 + i, 10, picture(i, 20 + i, 10).tobytes()) for i in range(n)]


@pytest.fixture
def packed(tmp_path: Path) -> list[Packed]:
    opened.cache_clear()
    return list(write_shards(tmp_path, members(), jpeg=False))


def test_pixels_come_back_in_place_and_cannot_be_changed(packed: list[Packed]) -> None:
    for i, one in enumerate(packed):
        one.check()
        assert np.array_equal(one.pixels(), picture(i, 20 + i, 10))
        assert np.array_equal(np.asarray(one.picture()), one.pixels())
        with pytest.raises(ValueError, match="read-only"):
            one.pixels()[:] = 0


def test_any_tool_reads_a_shard(packed: list[Packed], tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "photos-00000.tar") as tar:
        assert tar.getnames() == [one.member for one in packed]
        file = tar.extractfile(packed[2].member)
        assert file is not None
        assert np.array_equal(np.asarray(Image.open(file)), picture(2, 22, 10))


def test_shards_are_cut_at_the_limit_and_written_the_same_each_time(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    one, two = (list(write_shards(tmp_path / name, members(), jpeg=False, limit=4096)) for name in ("one", "two"))
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert len(files) == 3
    assert all((tmp_path / "one" / name).stat().st_size <= 4096 for name in files)
    assert all((tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes() for name in files)
    for a, b in zip(one, two, strict=True):
        a.check()
        assert dataclasses.replace(a, shard="") == dataclasses.replace(b, shard="")


def test_jpegs(tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.fromarray(picture(0, 30, 20)).save(file, "JPEG")
    [one] = write_shards(tmp_path, [Member("test/00001/0000000.jpg", 30, 20, file.getvalue())], jpeg=True)
    one.check()
    assert bytes(one.data()) == file.getvalue()
    assert one.pixels().shape == (20, 30, 3)


def test_a_picture_opens_no_file(packed: list[Packed], monkeypatch: pytest.MonkeyPatch) -> None:
    packed[0].pixels()
    monkeypatch.setattr(os, "open", lambda *_: pytest.fail("opened a file"))
    packed[1].pixels()


def flip(place: int):
    def change(path: Path) -> None:
        whole = bytearray(path.read_bytes())
        whole[place] ^= 1
        path.write_bytes(whole)

    return change


def no_text(path: Path) -> None:
    """The member's name is no UTF-8, under a header whose checksum is right."""
    whole = bytearray(path.read_bytes())
    whole[0] = 0xFF
    whole[148:156] = b" " * 8
    whole[148:156] = b"%06o\0 " % sum(whole[:BLOCK])
    path.write_bytes(whole)


@pytest.mark.parametrize(
    ("change", "said"),
    [(flip(BLOCK + 100), "changed"), (flip(BLOCK + 4), "something else"), (flip(0), "does not hold"), (flip(156), "does not hold"),
     (no_text, "does not hold"),
     (lambda path: path.write_bytes(path.read_bytes()[:600]), "ends before"), (lambda path: path.write_bytes(b""), "cannot be read"),
     (lambda path: path.unlink(), "no such file")],
    ids=["pixel", "own header", "tar header", "kind of member", "name is no text", "cut", "empty", "gone"],
)  # fmt: skip
def test_what_has_changed_is_noticed(packed: list[Packed], tmp_path: Path, change, said: str) -> None:
    change(tmp_path / "photos-00000.tar")
    opened.cache_clear()
    with pytest.raises(BadImage, match=said):
        packed[0].check()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_not_waited_for(packed: list[Packed], tmp_path: Path) -> None:
    (tmp_path / "photos-00000.tar").unlink()
    os.mkfifo(tmp_path / "photos-00000.tar")
    opened.cache_clear()
    with pytest.raises(BadImage, match="named pipe"):
        packed[0].pixels()


def test_a_link_inside_the_tar_is_never_followed(tmp_path: Path) -> None:
    """An index that points at a link's header finds no regular member of that name."""
    secret = tmp_path / "secret"
    secret.write_bytes(b"x" * 600)
    with tarfile.open(tmp_path / "photos-00000.tar", "w") as tar:
        link = tarfile.TarInfo("train/00000/0000000.ppm")
        link.type, link.linkname = tarfile.SYMTYPE, str(secret)
        tar.addfile(link)
    opened.cache_clear()
    with pytest.raises(BadImage, match="does not hold"):
        Packed(str(tmp_path / "photos-00000.tar"), "train/00000/0000000.ppm", BLOCK, 12, 2, 2, 0, jpeg=True).check()
