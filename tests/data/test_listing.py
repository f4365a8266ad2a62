from __future__ import annotations

import os
import unicodedata
from collections import Counter

import pytest

from linnet.data.doctor import examine
from linnet.data.listing import Listing, class_name, list_photos
from linnet.errors import DataError


def labels(listing: Listing) -> dict[tuple[str, str], int]:
    return dict(Counter((entry.split, entry.label) for entry in listing.entries))


def said(listing: Listing) -> dict[str, tuple[str, str]]:
    return {finding.path: (finding.verdict, finding.reason) for finding in listing.findings}


@pytest.mark.parametrize("name", ["val", "validation", "valid", "Validation"])
def test_split_folders_have_several_names(make_photos, name):
    listing = list_photos(
        make_photos({"train/cat": 2, "train/dog": 2, f"{name}/cat": 1, f"{name}/dog": 1, "test/cat": 1})
    )
    assert labels(listing) == {
        ("train", "cat"): 2,
        ("train", "dog"): 2,
        ("validation", "cat"): 1,
        ("validation", "dog"): 1,
        ("test", "cat"): 1,
    }
    assert listing.splits == {"train", "validation", "test"}


def test_a_folder_of_class_folders_is_all_train_for_now(make_photos):
    listing = list_photos(make_photos({"cat": 2, "dog": 3}))
    assert labels(listing) == {("train", "cat"): 2, ("train", "dog"): 3}
    assert listing.splits == set()


def test_what_is_passed_over_is_said(make_photos):
    root = make_photos(
        {"train/cat": 1, "train/dog": 1, "val/cat": 1, "val/dog": 1, "extra": 1, "__MACOSX/train": 1, ".git": 1}
    )
    (root / "README.md").write_text("x")
    (root / "train" / "loose.jpg").write_bytes(b"x")
    (root / "val" / "empty").mkdir()
    (root / "train" / "cat" / "noending").write_bytes(b"x")
    found = said(list_photos(root))
    assert found == {
        "README.md": ("ignored", "not a picture by its name (.md)"),
        "extra": ("ignored", "a folder beside train/ that is none of validation/ and test/"),
        "__MACOSX": ("ignored", "left there by macOS, not a picture"),
        ".git": ("ignored", "hidden"),
        "train/loose.jpg": ("ignored", "it lies outside the class folders"),
        "val/empty": ("left out", "an empty class folder: 'empty' has no pictures in validation"),
        "train/cat/noending": ("ignored", "its name has no ending like .jpg"),
    }


def test_folders_inside_class_folders_belong_to_the_class(make_photos):
    listing = list_photos(make_photos({"cat": 1, "cat/2024": 2, "cat/2024/may": 1, "cat/none": 0, "dog": 1}))
    assert labels(listing) == {("train", "cat"): 4, ("train", "dog"): 1}
    assert said(listing)["cat/2024"] == ("note", "a folder inside the class folder: its 2 pictures count as 'cat'")
    assert said(listing)["cat/none"] == ("ignored", "a folder, without pictures")


@pytest.fixture
def locked(monkeypatch):
    """A function that makes folders of this name unreadable; permissions alone do not stop root."""

    def lock(name):
        real = os.scandir

        def scandir(path):
            if os.path.basename(path) == name:
                raise PermissionError(13, "Permission denied", path)
            return real(path)

        monkeypatch.setattr(os, "scandir", scandir)

    return lock


@pytest.mark.parametrize("split", ["", "train/"])
def test_a_folder_that_cannot_be_read_is_a_problem_and_not_empty(make_photos, locked, split):
    root = make_photos({f"{split}cat": 2, f"{split}dog": 2, f"{split}wren": 2})
    locked("wren")
    listing = list_photos(root)
    assert said(listing) == {f"{split}wren": ("problem", "the folder 'wren' cannot be read (Permission denied)")}
    with pytest.raises(DataError, match="cannot be trained on: the folder 'wren' cannot be read"):
        examine(root, workers=0, max_bad=1)


@pytest.mark.parametrize("name", ["dog", "photos", "train"])
def test_a_folder_that_cannot_be_read_is_the_reason_where_nothing_is_left(make_photos, locked, name):
    root = make_photos({"train/cat": 2, "train/dog": 2} if name == "train" else {"cat": 2, "dog": 2})
    locked(name)
    with pytest.raises(DataError, match=rf"'{name}' cannot be read \(Permission denied\)\. Make it readable"):
        list_photos(root)


def test_links_in_circles_end_and_links_to_class_folders_work(make_photos):
    root = make_photos({"photos/cat": 2, "elsewhere/dog": 2})
    (root / "photos" / "dog").symlink_to(root / "elsewhere" / "dog")
    (root / "photos" / "cat" / "again").symlink_to(root / "photos" / "cat")
    (root / "photos" / "cat" / "top").symlink_to(root / "photos")
    (root / "photos" / "cat" / "self.jpg").symlink_to("self.jpg")
    listing = list_photos(root / "photos")
    assert labels(listing) == {("train", "cat"): 3, ("train", "dog"): 2}  # self.jpg gets its verdict when it is read
    assert said(listing)["cat/again"] == said(listing)["cat/top"]
    assert said(listing)["cat/top"][1] == "a link back to a folder that is already being read"


def test_accents_have_one_spelling_and_odd_names_are_printable():
    assert class_name(unicodedata.normalize("NFD", "café")) == class_name("café") == "café"
    assert class_name("a\nb") == "a\\nb"
    assert class_name("caf\udce9") == "caf\\udce9"


@pytest.mark.parametrize(
    ("folders", "words"),
    [
        ({}, "holds no pictures"),
        ({".": 3}, "holds 3 pictures and no folders"),
        ({"cat": 0, "dog": 0}, "2 folders and not one picture"),
        ({"cat": 3}, "holds one class, 'cat'; a classifier needs at least two"),
        ({"dataset/train/cat": 1, "dataset/train/dog": 1}, r"Did you mean .*/photos/dataset\?"),
        ({"val/cat": 1, "val/dog": 1}, "holds val but no train/"),
        ({"train/cat": 1, "val/cat": 1, "validation/cat": 1}, r"two folders for one split \(train, val, validation\)"),
        ({"train": 3, "val/cat": 1}, "train/ holds no pictures in class folders"),
    ],
)
def test_what_is_no_data_set_is_refused_with_what_was_found(make_photos, folders, words):
    root = make_photos(folders)
    root.mkdir(exist_ok=True)
    with pytest.raises(DataError, match=words) as caught:
        list_photos(root)
    assert "Expected: a folder for each class" in str(caught.value) or words[:3] in ("Did", "two")
    assert "\n" not in str(caught.value)


def test_nothing_there(tmp_path):
    with pytest.raises(DataError, match="There is nothing at"):
        list_photos(tmp_path / "absent")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    with pytest.raises(DataError, match="neither a folder nor a file"):
        list_photos(tmp_path / "circle")


@pytest.mark.parametrize(
    "text",
    [
        "cat/0.jpg,cat\ndog/0.jpg,dog\n",
        "path,label\ncat/0.jpg,cat\ndog/0.jpg,dog\n",
        "\ufeffLabel;Path\r\ncat;cat/0.jpg\r\n\r\ndog;dog/0.jpg",
        "path\tlabel\tphotographer\ncat/0.jpg\tcat\tme\ndog/0.jpg\tdog\tyou\n",
        '"cat/0.jpg", cat\n"dog/0.jpg", dog\n',
    ],
)
def test_csv_with_and_without_header(make_photos, text):
    root = make_photos({"cat": 1, "dog": 1})
    (root / "list.csv").write_text(text, encoding="utf-8")
    listing = list_photos(root / "list.csv")
    assert labels(listing) == {("train", "cat"): 1, ("train", "dog"): 1}
    assert [entry.path for entry in listing.entries] == [str(root / "cat" / "0.jpg"), str(root / "dog" / "0.jpg")]
    assert listing.splits == set()


def test_csv_with_splits(tmp_path):
    (tmp_path / "list.csv").write_text("path,label,split\na.jpg,cat,train\nb.jpg,cat,val\nc.jpg,cat,test\n")
    listing = list_photos(tmp_path / "list.csv")
    assert [entry.split for entry in listing.entries] == ["train", "validation", "test"]
    assert listing.splits == {"train", "validation", "test"}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "has no rows"),
        (b"path,label\n", "has no rows"),
        (b"remember the milk\n", "row 1: 'remember the milk' is not path,label"),
        (b"a.jpg,cat\nb.jpg\n", "row 2: 'b.jpg' is not path,label"),
        (b"a.jpg,cat\nb.jpg,\n", "row 2"),
        (b"a.jpg,cat,train,4\n", "row 1"),
        (b"path,label,split\na.jpg,cat,tset\n", "row 2: split 'tset'; .* Did you mean 'test'"),
        (b"path,label,split\na.jpg,cat,test\n", "no row has the split train"),
        (b'a.jpg,"cat\n', "is not a CSV"),
        (b"a,b\0c\n", "zero bytes"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "is not a CSV"),
        (b"caf\xe9.jpg,cat\n", "is not a CSV"),
    ],
)
def test_what_is_no_csv_is_refused_with_the_row(tmp_path, data, words):
    (tmp_path / "list.csv").write_bytes(data)
    with pytest.raises(DataError, match=words):
        list_photos(tmp_path / "list.csv")


def test_an_archive_is_to_be_unpacked(tmp_path):
    (tmp_path / "photos.zip").write_bytes(b"PK\3\4")
    with pytest.raises(DataError, match="is an archive"):
        list_photos(tmp_path / "photos.zip")
