import numpy as np
import pytest

from linnet.data.source import Photo, find_photos
from linnet.deploy.certificate import name_in, set_digest
from linnet.deploy.int8.calibration import balanced, read_pictures
from linnet.errors import DataError
from linnet.weights.model import read_model


def made(*counts):
    """Photos of these numbers per class, in some order."""
    members = [
        Photo(f"{label}/{n}.jpg", label, f"{(label * 7919 + n * 104729) % 2**32:064x}")
        for label, count in enumerate(counts)
        for n in range(count)
    ]
    return [members[i] for i in np.random.default_rng(0).permutation(len(members))]


def test_classes_have_the_same_number():
    members = made(50, 8, 20)
    chosen = balanced(members, 30)
    assert len(chosen) == 30
    assert np.bincount([photo.label for photo in chosen]).tolist() == [11, 8, 11]
    assert len(balanced(members, 1000)) == 78


def test_the_same_photos_whatever_their_order_and_few_are_among_more():
    members = made(9, 9)
    chosen = balanced(members, 7)
    assert balanced(members[::-1], 7) == chosen
    assert balanced(members, 12)[:7] == chosen
    assert set(balanced(members[3:], 18)) == set(members[3:])


def test_a_picture_that_lies_there_twice_counts_once():
    first = Photo("a.jpg", 0, "1" * 64)
    assert len(balanced([first, Photo("b.jpg", 0, "1" * 64), Photo("c.jpg", 1, "2" * 64)], 9)) == 2


def test_photos_of_several_labels_or_none():
    members = [Photo(f"{n}.jpg", -1, f"{n:064x}", bytes([n % 2, n % 3 == 0])) for n in range(9)]
    assert len(balanced(members, 6)) == 6


def test_they_are_read_as_evaluation_reads_them(run, photos):
    preprocess = read_model(run).preprocess
    found = find_photos(photos)
    read = read_pictures(found.test, preprocess, split="test", root=photos, workers=0, text="")
    assert read.pixels.shape == (19, 64, 64, 3)
    good = [photo for photo in found.test if photo.path != photos / "test" / "dots" / "4.jpg"]
    assert read.labels.tolist() == [photo.label for photo in good]
    assert np.array_equal(read.pixels[3], preprocess.read(good[3].path))
    names = [name_in(photo.path, photos) for photo in good]
    assert read.to_json() == {"split": "test", "n": 19, "sha256": set_digest(good, names), "not_read": 1}


def test_without_a_readable_photo(run, photos):
    bad = [photo for photo in find_photos(photos).test if photo.path == photos / "test" / "dots" / "4.jpg"]
    with pytest.raises(DataError, match="none of the 1 train photos can be read, so int8 cannot be made"):
        read_pictures(bad, read_model(run).preprocess, split="train", root=photos, workers=0, text="")
