from __future__ import annotations

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


@pytest.mark.parametrize("name", ["new\nline", " blank", "\udce9"])
def test_names_that_a_csv_cannot_hold_give_none(name):
    photo = Photo(Path(f"/x/{name}"), 0, "0")
    photos = Photos(Path("/x"), ("cat", name), (photo,), (), (), ())
    text = as_csv([(photo, "train")], photos)
    assert text is None or name == " blank"  # blanks inside a path are fine
