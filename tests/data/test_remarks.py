from __future__ import annotations

import dataclasses

import pytest

from linnet.data.doctor import Diagnosis, diagnose
from linnet.data.near import Alike, Pair
from linnet.data.preprocess import Preprocess
from linnet.data.remarks import remarks
from linnet.data.shard import Packed
from linnet.data.suspect import LabelCheck, Suspect
from linnet.data.tone import Tones


@pytest.fixture(scope="module")
def plain(nasty, tmp_path_factory) -> Diagnosis:
    root = tmp_path_factory.mktemp("even")
    for n, (split, label) in enumerate((s, c) for s in ("train",) * 12 + ("validation",) for c in ("cat", "dog")):
        (root / split / label).mkdir(parents=True, exist_ok=True)
        nasty.picture(n, 300, 280 + n).save(root / split / label / f"{n}.jpg")
    return diagnose(root)


def told(diagnosis: Diagnosis) -> dict[str, str]:
    return {remark.topic: str(remark) for remark in remarks(diagnosis)}


def test_good_photos_need_few_words(plain):
    assert set(told(plain)) == {"balance"}  # one photo per class measures nothing
    assert "'cat' has 1 photo in validation. Its recall is known to within 50 points only" in told(plain)["balance"]


def test_look_alikes_say_what_they_do_to_the_accuracy(plain):
    n = len(plain.photos.train)
    found = dataclasses.replace(plain, alike=Alike((Pair(0, n, 0.99, False),), False))
    first, *_ = remarks(found)
    assert first.seen == "1 of the 2 validation photos looks like photos of an earlier split."
    assert "too high" in first.meaning
    assert "photos.csv, without the copies in earlier splits" in first.remedy
    assert "there may be more" in str(remarks(found))


@pytest.mark.parametrize("form", ["packed", "new line"])
def test_a_list_that_cannot_be_written_is_not_advised(plain, form):
    n, packed = len(plain.photos.train), Packed("photos-00000.tar", "train/00000/0000000.ppm", 1536, 12, 2, 2, 0)
    new = {"packed": packed} if form == "packed" else {"path": plain.photos.root / "a\nb.jpg"}
    train = tuple(dataclasses.replace(photo, **new) for photo in plain.photos.train)
    photos = dataclasses.replace(plain.photos, train=train)
    first, *_ = remarks(dataclasses.replace(plain, photos=photos, alike=Alike((Pair(0, n, 0.99, False),), True)))
    assert "photos.csv" not in first.remedy
    assert ("pack the photos anew" in first.remedy) == (form == "packed")


def test_a_doubted_label_is_told_with_the_models_own_mistakes(plain):
    one = Suspect(0, "cat", "dog", 0.99, 0.01, True)
    check = LabelCheck("x", (one, dataclasses.replace(one, position=25, seen=False)), 2, 1, 24)
    text = told(dataclasses.replace(plain, labels=check))["labels"]
    assert "1 of 2 held-out photos and 1 of 24 photos that it was trained on" in text
    assert "it is wrong, by the labels, for 1 of the held-out photos" in text
    assert "labels" not in told(dataclasses.replace(plain, labels=LabelCheck("x", (), 2, 1, 24)))


def test_what_gives_a_class_away(plain):
    members = plain.everything
    cats = [n for n, photo in enumerate(members) if photo.label == 0]
    kinds = tuple("PNG" if n in cats else "JPEG" for n in range(len(members)))
    found = remarks(dataclasses.replace(plain, kinds=kinds, tones=Tones(grey=tuple(cats))))
    said = [remark.seen for remark in found if remark.topic == "give-away"]
    assert "100% of 'cat' are without colour, of the other photos 0%." in said
    assert "100% of 'cat' are PNG files, of the other photos 0%." in said


def test_empty_small_and_cropped_pictures(plain):
    found = told(dataclasses.replace(plain, tones=Tones(black=(1, 2), uniform=(3,))))
    assert "2 almost black, 1 of one colour" in found["light"]
    assert (
        "26 of 26 photos have a side below 438 pixels"
        in told(dataclasses.replace(plain, preprocess=Preprocess(image=384)))["size"]
    )
    shapes = ((3000, 300), *plain.shapes[1:])
    assert (
        "less than half of 1 of 26 photos, of which 1 are more than 3 times"
        in told(dataclasses.replace(plain, shapes=shapes))["crop"]
    )
