from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from linnet.data.image import BadImage
from linnet.data.index import INDEX, is_pack, list_pack, open_photo
from linnet.data.pack import pack
from linnet.data.source import find_photos
from linnet.errors import DataError

SHARD, MEMBER, OFFSET, SIZE, WIDTH, HEIGHT, CRC, LABELS, SPLIT, DIGEST, PATH = range(11)


@pytest.fixture
def packed(make_photos, tmp_path: Path) -> Path:
    return pack(make_photos({"cat": 12, "dog": 12}), image=16, out=tmp_path / "packed").folder


def change(folder: Path, **facts: object) -> None:
    value = json.loads((folder / INDEX).read_text())
    (folder / INDEX).write_text(json.dumps(value | facts))


def change_row(folder: Path, place: int, value: object) -> None:
    rows = json.loads((folder / INDEX).read_text())["photos"]
    rows[0][place] = value
    change(folder, photos=rows)


def test_a_folder_of_photos_is_no_pack(make_photos, packed: Path) -> None:
    photos = make_photos({"cat": 1, "dog": 1})
    (photos / INDEX).write_text("{}")
    assert not is_pack(photos)
    assert is_pack(packed)


@pytest.mark.parametrize(
    ("place", "value"),
    [(SHARD, "../photos-00000.tar"), (SHARD, "/etc/passwd"), (SHARD, "photos-00007.tar"), (SHARD, 0),
     (MEMBER, "../../x.ppm"), (MEMBER, "train/00000/0000000.py"), (OFFSET, -1), (OFFSET, 10**12), (OFFSET, 1.5),
     (OFFSET, True), (SIZE, 3), (SIZE, 10**10), (WIDTH, 0), (HEIGHT, 10**6), (CRC, "x"), (LABELS, [2]), (LABELS, []),
     (LABELS, [0, 1]), (LABELS, ["cat"]), (SPLIT, "other"), (DIGEST, "abc"), (PATH, "/etc/passwd"), (PATH, "../x.jpg"),
     (PATH, ""), (PATH, "a\nb"), (PATH, None)],
    ids=str,
)  # fmt: skip
def test_a_row_that_cannot_be_is_refused(packed: Path, place: int, value: object) -> None:
    change_row(packed, place, value)
    with pytest.raises(DataError, match=r"cannot be used \(.*Pack the photos anew"):
        list_pack(packed)


@pytest.mark.parametrize(
    ("facts", "said"),
    [({"kind": "else"}, "not that of packed photos"), ({"schema": 2}, "schema 2; this Linnet reads 1"),
     ({"columns": []}, "other columns"), ({"classes": None}, "cannot be used"), ({"photos": [[]]}, "cannot be used"),
     ({"findings": [[1]]}, "cannot be used"), ({"splits": 3}, "cannot be used"),
     ({"findings": [["a.jpg", "problem", "no", ""]]}, "is no verdict"), ({"findings": [["a.jpg", "??", "no", ""]]}, "is no verdict"),
     ({"findings": [["a\x1b[2J", "note", "no", ""]]}, "cannot be printed"), ({"findings": [["a", "note", "\x1b", ""]]}, "cannot be printed"),
     ({"findings": [["a", "note", "no", "\u202e"]]}, "cannot be printed"), ({"findings": [["a", "note", 3, ""]]}, "cannot be printed")],
    ids=str,
)  # fmt: skip
def test_an_index_that_cannot_be_is_refused(packed: Path, facts: dict[str, object], said: str) -> None:
    change(packed, **facts)
    with pytest.raises(DataError, match=re.escape(said)):
        list_pack(packed)


def test_more_photos_than_a_pack_may_have_are_refused(packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("linnet.data.index.MOST", 23)
    with pytest.raises(DataError, match="24 photos; a pack has at most 23"):
        list_pack(packed)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "[" * 100_000, '"x"', "\0"], ids=["empty", "cut", "list", "deep", "text", "zero"]
)
def test_what_is_no_index_is_refused(packed: Path, text: str) -> None:
    (packed / INDEX).write_text(text)
    with pytest.raises(DataError, match="cannot be used"):
        list_pack(packed)


def test_a_missing_shard_is_named(packed: Path) -> None:
    value = json.loads((packed / INDEX).read_text())["photos"]
    value[-1][SHARD] = "photos-00001.tar"
    change(packed, photos=value)
    with pytest.raises(DataError, match=r"photos-00001\.tar"):
        find_photos(packed)


def test_a_picture_is_found_by_its_path(make_photos, packed: Path) -> None:
    photo = find_photos(packed).train[0]
    assert photo.packed is not None
    assert not photo.path.exists()
    assert open_photo(photo.path, at_least=8).tobytes() == photo.packed.picture().tobytes()
    original = make_photos({"cat": 1}) / "cat" / "0.jpg"
    assert open_photo(original, at_least=24).size == (24, 18)
    with pytest.raises(BadImage, match="no such file"):
        open_photo(packed / "cat" / "none.jpg", at_least=8)
