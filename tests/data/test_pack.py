from __future__ import annotations

import dataclasses
import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from linnet.data import pack as module
from linnet.data.augment import Augment, draw_crop, random_numbers, resized
from linnet.data.doctor import examine
from linnet.data.image import open_image
from linnet.data.loader import eval_batches, train_batches
from linnet.data.pack import pack, pack_training, remove_pack, size_of, small_size
from linnet.data.preprocess import Preprocess
from linnet.data.source import Photos, find_photos
from linnet.errors import DataError, FileError, LinnetError

AUGMENT = Augment(16, randaugment=9, erasing=0.3, crop_area=(0.3, 1.0))


@pytest.fixture
def root(make_photos) -> Path:
    """36 photos without a split; one is turned, one broken, one is there under both labels."""
    folder = make_photos({"cat": 18, "dog": 18})
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.linear_gradient("L").convert("RGB").resize((60, 40)).save(folder / "cat" / "turned.jpg", exif=exif)
    (folder / "dog" / "broken.jpg").write_bytes((folder / "dog" / "0.jpg").read_bytes()[:200])
    shutil.copy(folder / "cat" / "1.jpg", folder / "dog" / "twice.jpg")
    return folder


def named(photos: Photos) -> dict[str, list[tuple[str, int, str]]]:
    root = photos.root
    return {
        split: [(p.path.relative_to(root).as_posix(), p.label, p.digest) for p in members]
        for split, members in photos.splits.items()
    }


def test_a_pack_stands_for_its_photos(root: Path, tmp_path: Path) -> None:
    made = pack(root, image=16, out=tmp_path / "packed")
    original, packed = examine(root, max_bad=1).photos, find_photos(made.folder)
    assert named(packed) == named(original), "the same photos in the same splits, whichever shares are cut"
    assert named(find_photos(made.folder, validation=0.3)) == named(
        examine(find_photos(root, validation=0.3), max_bad=1).photos
    )
    assert packed.classes == original.classes
    assert packed.was_split
    assert made.photos == 36  # 38 files are good, and one of them has two labels
    assert {f.path for f in made.left_out} == {"dog/broken.jpg", "dog/twice.jpg", "cat/1.jpg"}
    assert {f.path for f in packed.findings} >= {"dog/broken.jpg", "dog/twice.jpg"}
    assert "dog/broken.jpg" in str(made)
    json.dumps(made.to_json())


def test_what_the_pack_left_out_does_not_count_against_it_again(make_photos, tmp_path: Path) -> None:
    root = make_photos({"train/cat": 6, "train/dog": 6, "val/cat": 2})
    for n in range(3):
        (root / "train" / "dog" / f"bad{n}.jpg").write_bytes((root / "train" / "dog" / "0.jpg").read_bytes()[:200])
    shutil.copy(root / "train" / "cat" / "1.jpg", root / "train" / "cat" / "again.jpg")
    shutil.copy(root / "train" / "cat" / "1.jpg", root / "train" / "cat" / "wrong name.png")
    folder = pack(root, image=16, out=tmp_path / "packed").folder
    diagnosis = examine(folder, max_bad=0)  # three of 18 files were bad, of which the pack holds none
    assert {f.path for f in diagnosis.findings if f.verdict == "left out"} == {
        f"train/dog/bad{n}.jpg" for n in range(3)
    }
    said = [(f.path, f.verdict, f.reason) for f in diagnosis.findings]
    assert len(said) == len(set(said)), "a note that every reading makes is not kept as well"
    assert any("it counts twice" in reason for _, _, reason in said)
    assert any("no pictures of 'dog'" in reason for _, _, reason in said)
    assert ("train/cat/wrong name.png", "note", "JPEG by content, .png by name") in said


def test_its_pictures_are_upright_resized_once_and_never_enlarged(root: Path, tmp_path: Path) -> None:
    for photo in find_photos(pack(root, image=20, out=tmp_path / "packed").folder).train:
        whole = open_image(root / photo.path.relative_to(tmp_path / "packed"))
        size = small_size(*whole.size, 20)
        expected = np.asarray(whole if size == whole.size else whole.resize(size, Image.Resampling.BICUBIC))
        assert photo.packed is not None
        assert abs(photo.packed.pixels().astype(int) - expected).max() <= (0 if size == whole.size else 2)
    assert small_size(400, 300, 100) == (133, 100)
    assert small_size(30, 400, 100) == (30, 400)
    assert small_size(20_000, 2, 1) == (10_000, 1)


def test_the_users_own_split_is_kept(make_photos, tmp_path: Path) -> None:
    root = make_photos({"train/cat": 3, "train/dog": 3, "val/cat": 2, "val/dog": 2})
    packed = find_photos(pack(root, image=16, out=tmp_path / "packed").folder)
    assert {split: len(members) for split, members in packed.splits.items()} == {"train": 6, "validation": 4, "test": 0}
    assert not packed.was_split


def test_several_labels(root: Path, tmp_path: Path) -> None:
    rows = [f"photos/cat/{i}.jpg,{'cat;tame' if i % 2 else 'cat'}" for i in range(6)] + ["photos/dog/2.jpg,"]
    (tmp_path / "photos.csv").write_text("\n".join(["path,labels", *rows]))
    original = find_photos(tmp_path / "photos.csv")
    packed = find_photos(pack(tmp_path / "photos.csv", image=16, out=tmp_path / "packed").folder)
    assert packed.several
    assert [p.multi_hot for p in packed.train] == [p.multi_hot for p in original.train]


def test_jpegs_take_less_room(root: Path, tmp_path: Path) -> None:
    raw, small = pack(root, image=18, out=tmp_path / "raw"), pack(root, image=18, quality=80, out=tmp_path / "small")
    a, b = (find_photos(made.folder).train[0].packed for made in (raw, small))
    assert a is not None
    assert b is not None
    assert b.size < a.size
    assert (a.width, a.height) == (b.width, b.height)
    assert abs(a.pixels().astype(int) - b.pixels()).mean() < 12
    assert AUGMENT.pixels(b, random_numbers(0, 0, 0)).shape == (16, 16, 3)


def test_nothing_is_overwritten_and_nothing_half_made_stays(root: Path, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(FileError, match="there already"):
        pack(root, out=tmp_path / "there")
    pack(root, image=16, out=tmp_path / "packed")
    with pytest.raises(DataError, match="packed already"):
        pack(tmp_path / "packed")
    monkeypatch.setattr("linnet.data.index.write_text", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left")))
    before = sorted(tmp_path.iterdir())
    with pytest.raises(FileError, match="No space left"):
        pack(root, out=tmp_path / "new")
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("wrong", [{"image": 8}, {"image": 5000}, {"quality": 0}, {"quality": 101}], ids=str)
def test_a_wrong_setting_is_named(root: Path, wrong: dict[str, int]) -> None:
    with pytest.raises(LinnetError, match=next(iter(wrong))):
        pack(root, **wrong)  # pyright: ignore[reportArgumentType]


def test_a_crop_of_packed_pixels_is_drawn_as_of_a_file_of_that_size(root: Path, tmp_path: Path) -> None:
    packed = find_photos(pack(root, image=16, out=tmp_path / "packed").folder).train[3].packed
    assert packed is not None
    packed.picture().save(tmp_path / "same.png")
    for index in range(5):
        mine = AUGMENT.pixels(packed, random_numbers(0, 0, index))
        assert np.array_equal(mine, AUGMENT.pixels(tmp_path / "same.png", random_numbers(0, 0, index)))
    rng = random_numbers(0, 0, 1)
    left, top, right, bottom = draw_crop(packed.width, packed.height, (0.3, 1.0), (3 / 4, 4 / 3), rng)
    plain = dataclasses.replace(AUGMENT, randaugment=0, erasing=0, flip=0).pixels(packed, random_numbers(0, 0, 1))
    assert np.array_equal(plain, resized(packed.pixels()[top:bottom, left:right], 16, 16, "bicubic"))


@pytest.mark.parametrize("workers", [1, 2])
def test_batches_of_a_pack_do_not_depend_on_the_workers(root: Path, tmp_path: Path, workers: int) -> None:
    photos = find_photos(pack(root, image=16, out=tmp_path / "packed").folder).train
    here, there = (list(train_batches(photos, AUGMENT, seed=0, epoch=1, batch=8, workers=n)) for n in (0, workers))
    assert [a.index.tolist() for a in here] == [b.index.tolist() for b in there]
    assert all(torch.equal(a.images, b.images) for a, b in zip(here, there, strict=True))


def test_evaluation_of_a_pack_reads_its_pictures(root: Path, tmp_path: Path) -> None:
    photos, preprocess = find_photos(pack(root, image=16, out=tmp_path / "packed").folder).train, Preprocess(image=12)
    [batch] = eval_batches(photos, preprocess, batch=100, workers=0)
    assert photos[0].packed is not None
    assert np.array_equal(batch.images[0].numpy(), preprocess.pixels(photos[0].packed.picture()))


@pytest.mark.parametrize("quality", [None, 90])
def test_evaluation_leaves_out_a_picture_whose_bytes_have_changed(
    root: Path, tmp_path: Path, quality: int | None
) -> None:
    folder = pack(root, image=16, quality=quality, out=tmp_path / "packed").folder
    first = next(photo for photo in find_photos(folder, validation=0, test=0).train if photo.packed)
    assert first.packed is not None
    shard = folder / "photos-00000.tar"
    whole = bytearray(shard.read_bytes())
    whole[first.packed.offset + first.packed.size - 3] ^= (
        1  # of a JPEG the last bytes of its picture, which still decodes
    )
    shard.write_bytes(whole)
    photos = find_photos(folder, validation=0, test=0).train
    [batch] = eval_batches(photos, Preprocess(image=12), batch=100, workers=0)
    assert [bad.path for bad in batch.bad] == [str(first.path)]
    assert "its bytes have changed" in batch.bad[0].reason
    assert len(batch.index) == len(photos) - 1


def test_a_pack_is_on_the_disk_before_it_has_its_name(root: Path, tmp_path: Path, monkeypatch) -> None:
    synced: list[str] = []
    real = os.fsync

    def noted(handle: int) -> None:
        synced.append(os.path.realpath(f"/proc/self/fd/{handle}"))
        real(handle)

    monkeypatch.setattr(os, "fsync", noted)
    made = pack(root, image=16, out=tmp_path / "packed")
    if os.path.exists("/proc/self/fd"):
        names = [Path(path).name for path in synced]
        assert "photos-00000.tar" in names
        assert str(tmp_path) == synced[-1], "the rename itself"
        assert any(name.startswith(".packed.") for name in names), "the names inside"
    assert made.shards == 1


def test_the_doctor_finds_a_byte_that_has_changed(root: Path, tmp_path: Path) -> None:
    folder = pack(root, image=16, out=tmp_path / "packed").folder
    assert not [f for f in examine(folder, max_bad=1).findings if "changed" in f.reason]
    shard = folder / "photos-00000.tar"
    whole = bytearray(shard.read_bytes())
    whole[600] ^= 255
    shard.write_bytes(whole)
    [found] = [f for f in examine(folder, max_bad=1).findings if "changed" in f.reason]
    assert found.verdict == "quarantined"


def test_a_run_packs_its_training_photos_only(root: Path, tmp_path: Path) -> None:
    photos, folder = examine(root, max_bad=1).photos, tmp_path / "run" / "packed"
    folder.parent.mkdir()
    found = pack_training(photos, 16, folder, upright=True)
    assert all(photo.packed for photo in found.train)
    assert found.validation == photos.validation
    assert found.test == photos.test
    assert named(found) == named(photos)
    assert abs(sum(p.stat().st_size for p in folder.iterdir()) - size_of(photos.train, 16, upright=True)) < 1536 * 40
    again = pack_training(photos, 16, folder, upright=True)
    assert again == found, "the same bytes at the same places"
    assert pack_training(found, 16, folder.with_name("other"), upright=True) == found, "not resized twice"
    remove_pack(folder)
    assert not folder.exists()


def test_a_photo_gone_bad_is_left_to_the_loader(root: Path, tmp_path: Path) -> None:
    photos = examine(root, max_bad=1).photos
    photos.train[2].path.write_bytes(b"")
    found = pack_training(photos, 16, tmp_path / "packed", upright=True)
    assert [place for place, photo in enumerate(found.train) if photo.packed is None] == [2]
    [batch] = train_batches(found.train, AUGMENT, seed=0, epoch=0, batch=100, workers=0)
    assert [bad.path for bad in batch.bad] == [str(photos.train[2].path)]


def test_too_little_room_is_said_before_anything_is_written(root: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(FileError, match=r'1,000 bytes free.*"pack": null'):
        pack_training(find_photos(root), 16, tmp_path / "packed", upright=True)
    assert not (tmp_path / "packed").exists()
