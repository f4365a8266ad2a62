from __future__ import annotations

import hashlib
import os
import shutil
import time
from pathlib import Path

import pytest

import linnet.data.source
from linnet.data.source import Photos, find_photos
from linnet.errors import DataError, SettingError


def where(photos: Photos) -> dict[str, str]:
    return {os.path.relpath(p.path, photos.root): split for split, members in photos.splits.items() for p in members}


def said(photos: Photos) -> dict[str, tuple[str, str]]:
    return {finding.path: (finding.verdict, finding.reason) for finding in photos.findings}


def tree(root: Path) -> dict[str, tuple[int, int]]:
    return {str(p): (p.stat().st_mtime_ns, p.stat().st_size) for p in sorted(root.rglob("*"))}


def test_given_splits_are_kept_and_nothing_is_written(make_photos):
    root = make_photos({"train/dog": 3, "train/cat": 2, "val/cat": 1, "val/dog": 1, "test/dog": 2, "test/cat": 1})
    before = tree(root)
    photos = find_photos(root)
    assert tree(root) == before
    assert photos.classes == ("cat", "dog")
    assert [len(members) for members in photos.splits.values()] == [5, 2, 3]
    assert photos.findings == ()
    first = photos.train[0]
    assert (first.path, first.label) == (root / "train" / "cat" / "0.jpg", 0)
    assert first.digest == hashlib.sha256(first.path.read_bytes()).hexdigest()


def test_a_folder_without_a_test_split_gets_none_when_validation_is_given(make_photos):
    photos = find_photos(make_photos({"train/cat": 20, "train/dog": 20, "val/cat": 5, "val/dog": 5}))
    assert [len(members) for members in photos.splits.values()] == [40, 10, 0]


def test_validation_is_cut_from_train_where_it_is_missing(make_photos):
    photos = find_photos(make_photos({"train/cat": 20, "train/dog": 20, "test/cat": 5, "test/dog": 5}))
    assert len(photos.test) == 10
    assert all(p.path.parts[-3] == "test" for p in photos.test)
    assert {p.label for p in photos.validation} == {0, 1}
    assert len(photos.train) + len(photos.validation) == 40


def test_a_split_by_content_has_its_shares_and_every_class_in_each(make_photos):
    photos = find_photos(make_photos({"cat": 400, "dog": 100, "rare": 3, "single": 1}))
    assert 30 <= len(photos.validation) <= 75
    assert 30 <= len(photos.test) <= 75
    for members in photos.splits.values():
        assert {p.label for p in members} >= {0, 1, 2}
    assert [p.label for p in photos.train].count(3) == 1
    assert said(photos)["."] == ("note", "only 1 different picture(s) of 'single': all are used for training")
    other = find_photos(photos.root, validation=0.3, test=0)
    assert not other.test
    assert 110 <= len(other.validation) <= 190


def test_adding_renaming_and_copying_files_moves_no_picture(make_photos, tmp_path):
    root = make_photos({"cat": 150, "dog": 150})
    before = where(find_photos(root))
    make_photos({"cat/new": 60}, root)
    after = where(find_photos(root))
    assert before.items() <= after.items()
    shutil.copytree(root, tmp_path / "copy")
    for n, path in enumerate(sorted((tmp_path / "copy").rglob("*.jpg"))):
        path.rename(path.with_name(f"renamed_{n}.jpg"))
    placed = {split: {p.digest for p in members} for split, members in find_photos(tmp_path / "copy").splits.items()}
    assert placed == {split: {p.digest for p in members} for split, members in find_photos(root).splits.items()}


def test_no_picture_is_in_two_splits(make_photos):
    root = make_photos({"train/cat": 4, "train/dog": 4, "val/cat": 2, "val/dog": 2, "test/cat": 2, "test/dog": 2})
    shutil.copy(root / "train/cat/0.jpg", root / "val/cat/copy.jpg")
    shutil.copy(root / "train/dog/0.jpg", root / "test/dog/copy.jpg")
    shutil.copy(root / "val/dog/0.jpg", root / "test/dog/copy2.jpg")
    shutil.copy(root / "train/cat/1.jpg", root / "train/cat/twin.jpg")
    photos = find_photos(root)
    digests = [{p.digest for p in members} for members in photos.splits.values()]
    assert not (digests[0] & digests[1] | digests[0] & digests[2] | digests[1] & digests[2])
    assert said(photos) == {
        "train/cat/0.jpg": ("left out", "the same picture is in validation (val/cat/copy.jpg), where it is kept"),
        "train/dog/0.jpg": ("left out", "the same picture is in test (test/dog/copy.jpg), where it is kept"),
        "val/dog/0.jpg": ("left out", "the same picture is in test (test/dog/copy2.jpg), where it is kept"),
        "train/cat/twin.jpg": ("note", "the same picture as train/cat/1.jpg; it counts twice"),
    }
    assert where(photos)["val/cat/copy.jpg"] == "validation"


def test_copies_go_to_one_split_when_it_is_cut_by_content(make_photos):
    root = make_photos({"cat": 30, "dog": 30})
    for path in list(root.rglob("*.jpg")):
        shutil.copy(path, path.with_name(f"copy_{path.name}"))
    photos = find_photos(root)
    placed = where(photos)
    assert len(placed) == 120
    assert all(
        placed[name] == placed[str(Path(name).with_name(f"copy_{Path(name).name}"))]
        for name in placed
        if "copy" not in name
    )


def test_a_picture_with_two_labels_is_left_out_everywhere(make_photos):
    root = make_photos({"cat": 5, "dog": 5})
    shutil.copy(root / "cat/0.jpg", root / "dog/same.jpg")
    photos = find_photos(root)
    assert {"cat/0.jpg", "dog/same.jpg"}.isdisjoint(where(photos))
    assert said(photos)["cat/0.jpg"] == (
        "left out",
        "the same picture is labelled 'dog' in dog/same.jpg: remove the wrong one",
    )
    assert said(photos)["dog/same.jpg"][1].startswith("the same picture is labelled 'cat'")


def test_bad_files_are_no_doubles_of_each_other(make_photos):
    root = make_photos({"cat": 5, "dog": 5})
    for name in ("cat/empty.jpg", "dog/empty.jpg"):
        (root / name).write_bytes(b"")
    for name in ("cat/page.jpg", "dog/page.jpg"):
        (root / name).write_text("<html>404</html>")
    found = {finding.path: finding for finding in find_photos(root).findings}
    assert found["cat/empty.jpg"].reason == "the file is empty (0 bytes)"
    assert "looks like HTML" in found["dog/page.jpg"].reason
    assert {(f.verdict, f.label) for f in found.values()} == {("quarantined", "cat"), ("quarantined", "dog")}


def test_an_unreadable_file_gets_its_verdict(make_photos, monkeypatch):
    root = make_photos({"cat": 2, "dog": 2})
    (root / "cat" / "gone.jpg").symlink_to(root / "absent.jpg")
    real = os.open

    def sometimes(path, flags, *rest):
        if str(path).endswith("dog/1.jpg"):
            raise PermissionError(13, "Permission denied")
        return real(path, flags, *rest)

    monkeypatch.setattr(linnet.data.image.os, "open", sometimes)
    assert said(find_photos(root)) | {".": None} == {
        "cat/gone.jpg": ("quarantined", "a link that leads nowhere"),
        "dog/1.jpg": ("quarantined", "it cannot be read (Permission denied)"),
        ".": None,
    }


def test_csv_paths_are_beside_the_csv(make_photos):
    root = make_photos({"images": 6})
    rows = [f"images/{n}.jpg,{'cat' if n % 2 else 'dog'}" for n in range(6)]
    (root / "list.csv").write_text("\n".join([*rows, "images/absent.jpg,cat"]))
    photos = find_photos(root / "list.csv")
    assert photos.root == root
    assert photos.classes == ("cat", "dog")
    assert set(where(photos)) == {f"images/{n}.jpg" for n in range(6)}
    assert said(photos)["images/absent.jpg"] == ("quarantined", "there is no such file")


def test_classes_that_train_lacks_stop_with_a_hint(make_photos):
    root = make_photos({"train/cat": 2, "train/dog": 2, "train/empty": 0, "val/cats": 1, "val/dog": 1, "val/empty": 1})
    with pytest.raises(
        DataError, match=r"validation has classes of which train has no pictures: 'cats', 'empty'. Did you"
    ):
        find_photos(root)


def test_a_class_that_validation_lacks_is_said(make_photos):
    photos = find_photos(make_photos({"train/cat": 2, "train/dog": 2, "val/dog": 1}))
    assert said(photos)["."] == ("note", "validation has no pictures of 'cat': nothing can be measured for it there")


def test_one_class_is_not_enough(make_photos):
    with pytest.raises(DataError, match="one class with pictures, 'cat'"):
        find_photos(make_photos({"cat": 3, "dog": 0}))


@pytest.mark.parametrize("shares", [{"validation": 1.0}, {"test": -0.1}, {"validation": 0.6, "test": 0.5}])
def test_wrong_shares_are_refused(make_photos, shares):
    with pytest.raises(SettingError, match="a share from 0 to below 1"):
        find_photos(make_photos({"cat": 1, "dog": 1}), **shares)


def test_thousands_of_small_files_a_second(tmp_path):
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        for n in range(1500):
            (tmp_path / label / f"{n}.jpg").write_bytes(b"\xff\xd8\xff" + f"{label}{n}".encode() * 200)
    start = time.process_time()  # not the clock: others may be busy on this machine
    photos = find_photos(tmp_path)
    assert sum(map(len, photos.splits.values())) == 3000
    assert time.process_time() - start < 1.5  # 2,000 a second; measured: 0.1
