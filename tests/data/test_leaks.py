from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from linnet.data.leaks import across, apart, as_csv, contradictions, everything, ordered, photo_at, split_names
from linnet.data.near import Alike, Pair
from linnet.data.source import Photo, Photos, find_photos


def photos_of(*, was_split: bool, root: Path = Path("/photos")) -> Photos:
    """Three of train (positions 0 to 2), two of validation (3, 4), two of test (5, 6); digests in the order of names."""

    def members(*rows: tuple[str, int]) -> tuple[Photo, ...]:
        return tuple(Photo(root / f"{name}.jpg", label, name * 64) for name, label in rows)

    return Photos(
        root, ("cat", "dog"), members(("f", 0), ("b", 0), ("c", 1)), members(("d", 0), ("e", 1)),
        members(("a", 0), ("9", 1)), (), was_split,
    )  # fmt: skip


def alike(*pairs: tuple[int, int]) -> Alike:
    return Alike(tuple(Pair(one, other, 0.99, False) for one, other in pairs), True)


def test_the_pairs_that_do_harm_come_first():
    photos = photos_of(was_split=False)
    assert split_names(photos) == ["train"] * 3 + ["validation"] * 2 + ["test"] * 2
    assert [photo_at(photos, n) for n in range(7)] == list(everything(photos))
    found = alike((0, 1), (0, 2), (1, 5), (4, 5))
    assert [pair[:2] for pair in ordered(photos, found)] == [(4, 5), (1, 5), (0, 2), (0, 1)]
    assert [pair[:2] for pair in contradictions(photos, found)] == [(4, 5), (0, 2)]
    assert across(photos, found) == {"test": 1}
    assert across(photos, alike((0, 3), (1, 3), (2, 6), (0, 1))) == {"validation": 1, "test": 1}


def test_where_the_split_was_made_here_a_group_goes_to_one_split():
    photos = photos_of(was_split=True)
    assert apart(photos, alike((0, 1))) is None
    chosen = apart(photos, alike((0, 1), (1, 5), (2, 4)))
    assert chosen is not None
    places = {photo.digest[0]: split for photo, split in chosen}
    assert places == {"f": "test", "b": "test", "a": "test", "c": "train", "e": "train", "d": "validation", "9": "test"}


def test_where_the_user_made_it_the_later_split_keeps_its_own():
    chosen = apart(photos_of(was_split=False), alike((0, 1), (1, 5), (2, 4)))
    assert chosen is not None
    assert {photo.digest[0] for photo, _ in chosen} == {"d", "e", "a", "9"}


def with_copies(photos: Photos) -> Photos:
    """The first photo of train and the first of test are there once more, under another name."""
    again = [
        Photo(p.path.with_name(f"copy of {p.path.name}"), p.label, p.digest) for p in (photos.train[0], photos.test[0])
    ]
    return dataclasses.replace(photos, train=(*photos.train, again[0]), test=(*photos.test, again[1]))


@pytest.mark.parametrize("was_split", [True, False])
def test_copies_with_the_same_bytes_go_with_their_group(was_split):
    photos = with_copies(photos_of(was_split=was_split))
    found = alike((0, 6))  # the first of train and the first of test, each of which is there twice
    assert across(photos, found) == {"test": 2}
    chosen = apart(photos, found)
    assert chosen is not None
    places = {split for photo, split in chosen if photo.digest[0] in "fa"}
    assert places == {"test"}, "a copy that stays in train is a leak"
    assert len(chosen) == (9 if was_split else 7)


def test_the_csv_is_read_as_it_was_meant(make_photos, tmp_path):
    root = make_photos({"cat, small": 6, 'dog "big"': 6, "öwl": 6})
    photos = find_photos(root)
    n = len(photos.train)
    one = next(i for i in range(n) if photos.train[i].label == everything(photos)[n].label)
    chosen = apart(photos, alike((one, n)))
    assert chosen is not None
    text = as_csv(chosen, photos)
    assert text is not None
    (tmp_path / "photos.csv").write_text(text, encoding="utf-8")
    again = find_photos(tmp_path / "photos.csv")
    assert again.classes == photos.classes
    assert {(p.path, p.label, s) for s, members in again.splits.items() for p in members} == {
        (p.path, p.label, s) for p, s in chosen
    }


@pytest.mark.parametrize("name", ["new\nline", "blank ", "\udce9"])
def test_paths_that_a_csv_cannot_hold_give_none(name):
    photo = Photo(Path(f"/x/{name}"), 0, "0")
    assert as_csv([(photo, "train")], Photos(Path("/x"), ("cat", "dog"), (photo,), (), (), ())) is None


@pytest.mark.parametrize("name", ["new\nline", " blank", "\udce9"])
def test_classes_that_a_csv_cannot_hold_give_none(name):
    photo = Photo(Path("/x/1.jpg"), 1, "0")
    assert as_csv([(photo, "train")], Photos(Path("/x"), ("cat", name), (photo,), (), (), ())) is None


def test_blanks_inside_a_path_are_fine():
    photo = Photo(Path("/x/ blank"), 0, "0")
    assert as_csv([(photo, "train")], Photos(Path("/x"), ("cat", "dog"), (photo,), (), (), ())) is not None
