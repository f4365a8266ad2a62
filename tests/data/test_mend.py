from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from linnet.data.augment import Augment
from linnet.data.doctor import diagnose
from linnet.data.image import BadImage, open_image
from linnet.data.loader import eval_batches, train_batches
from linnet.data.mend import LEAST, Mended
from linnet.data.pack import pack_training, remove_pack
from linnet.data.preprocess import Preprocess
from linnet.data.source import find_photos

CUTS = (0.3, 0.85, 0.93, 0.97, 0.9995)  # shares of the bytes that are kept


@pytest.fixture(scope="module")
def noisy():
    """A picture with as much to say in its last row as in its first, so that bytes and rows go together."""
    return Image.fromarray(np.random.default_rng(5).integers(0, 256, (640, 64, 3), dtype=np.uint8))


@pytest.mark.parametrize("kept", CUTS)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_cut_file_gives_rows_of_the_original_or_nothing(tmp_path, nasty, noisy, kind, kept):
    data = nasty.encoded(noisy, kind)
    path = tmp_path / "cut"
    path.write_bytes(data[: int(kept * len(data))])
    if kind == "WEBP" or kept < LEAST:
        with pytest.raises(BadImage) as caught:
            Mended(str(path)).read()
        assert caught.value.reason == "truncated"
        assert "copy it again" in caught.value.text
        return
    part = Mended(str(path)).read()
    rows, whole = np.asarray(open_image(part.data)), np.asarray(open_image(data))
    assert part.of == 640
    assert LEAST * 640 <= part.rows < 640
    assert abs(part.rows / 640 - kept) < 0.04  # it also finds most of what is there
    assert np.array_equal(rows, whole[: part.rows])


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA", "CMYK", "I;16"])
def test_what_is_seen_of_a_part_is_what_is_seen_of_the_whole(tmp_path, nasty, noisy, mode):
    picture = noisy.convert("L" if mode == "I;16" else mode)
    picture = Image.fromarray(np.asarray(picture).astype(np.uint16) * 257) if mode == "I;16" else picture
    data = nasty.encoded(picture, "JPEG" if mode == "CMYK" else "PNG")
    path = tmp_path / "cut"
    path.write_bytes(data[: int(0.97 * len(data))])
    part = Mended(str(path)).read()
    assert np.array_equal(np.asarray(open_image(part.data)), np.asarray(open_image(data))[: part.rows])


def test_a_photo_that_lies_on_its_side_is_brought_upright(tmp_path, nasty, noisy):
    exif = Image.Exif()
    exif[0x0112] = 6
    data = nasty.encoded(noisy, "JPEG", exif=exif)
    path = tmp_path / "cut.jpg"
    path.write_bytes(data[: int(0.97 * len(data))])
    part = Mended(str(path)).read()
    assert open_image(part.data).size == (part.rows, 64)
    # Its stored rows are columns, from the right.
    assert np.array_equal(np.asarray(open_image(part.data)), np.asarray(open_image(data))[:, -part.rows :])
    assert np.array_equal(
        np.asarray(open_image(part.data, upright=False)), np.asarray(open_image(data, upright=False))[: part.rows]
    )


def test_one_of_which_no_row_is_sure_before_its_end_is_not_used(tmp_path, nasty, noisy):
    data = nasty.encoded(noisy, "JPEG", progressive=True)
    path = tmp_path / "cut.jpg"
    path.write_bytes(data[:-9])
    with pytest.raises(BadImage, match="0 of 640 rows are there, 90% are needed"):
        Mended(str(path)).read()


def test_what_is_bad_otherwise_stays_bad_and_what_is_whole_is_whole(tmp_path, nasty, noisy):
    path = tmp_path / "a.png"
    path.write_text("<html>")
    with pytest.raises(BadImage, match="looks like HTML"):
        Mended(str(path)).read()
    path.write_bytes(data := nasty.encoded(noisy, "PNG"))
    assert Mended(str(path)).read().data == data
    path.write_bytes(nasty.png(50_000, 50_000, b""))
    with pytest.raises(BadImage, match="allowed are"):
        Mended(str(path)).read()


@pytest.fixture
def folder(tmp_path, nasty):
    """Two classes, in each split a photo that is nearly whole, and in train one that is half there and a WebP."""
    root = tmp_path / "photos"
    rng = np.random.default_rng(1)
    for split, n in (("train", 6), ("validation", 3), ("test", 3)):
        for label in ("cat", "dog"):
            place = root / split / label
            place.mkdir(parents=True)
            for number in range(n):
                pixels = rng.integers(0, 256, (320, 48, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(place / f"{number}.jpg")
        cut = root / split / "cat" / "0.jpg"
        if split == "train":
            (tmp_path / "whole.jpg").write_bytes(cut.read_bytes())
        cut.write_bytes(cut.read_bytes()[:-200])
    half = root / "train" / "dog" / "0.jpg"
    half.write_bytes(half.read_bytes()[: half.stat().st_size // 2])
    data = nasty.encoded(Image.open(root / "train" / "dog" / "1.jpg"), "WEBP")
    (root / "train" / "dog" / "other.webp").write_bytes(data[:-200])
    return root


def test_the_doctor_repairs_train_alone_and_says_so(folder):
    plain, found = diagnose(folder), diagnose(folder, truncated="repair")
    assert {f.verdict for f in plain.findings} == {"quarantined"}
    assert [photo.mended for photo in plain.everything] == [None] * len(plain.everything)
    assert {f.path: f.verdict for f in found.findings if f.verdict != "note"} == {
        "train/cat/0.jpg": "repaired", "train/dog/0.jpg": "quarantined", "train/dog/other.webp": "quarantined",
        "validation/cat/0.jpg": "quarantined", "test/cat/0.jpg": "quarantined",
    }  # fmt: skip
    assert [photo.path.name for photo in found.photos.train if photo.mended] == ["0.jpg"]
    assert not any(photo.mended for photo in (*found.photos.validation, *found.photos.test))
    assert found.counts["train"] == {"cat": 6, "dog": 5}
    assert found.bad == {"cat": 2, "dog": 2}
    text = found.to_text()
    assert "Repaired, used in part (1):\n  train/cat/0.jpg: truncated: 302 of its 320 rows are used" in text
    assert "train/dog/0.jpg: the JPEG is truncated: 1" in text  # and how many rows there are
    part = next(i for i, photo in enumerate(found.everything) if photo.mended)
    assert found.shapes[part] == (48, 302)


def test_training_sees_the_rows_that_the_doctor_saw(folder, tmp_path):
    photos = diagnose(folder, truncated="repair").photos
    place = next(i for i, photo in enumerate(photos.train) if photo.mended)
    shown = Preprocess(32)
    [batch] = eval_batches(photos.train, shown, batch=len(photos.train), workers=0)
    assert batch.bad == ()
    rows = open_image(tmp_path / "whole.jpg").crop((0, 0, 48, 302))
    assert np.array_equal(batch.images[place].numpy(), shown.pixels(rows))
    [batch] = train_batches(photos.train, Augment(32), seed=1, epoch=0, batch=len(photos.train), workers=0)
    assert batch.bad == ()
    [other] = train_batches(photos.train, Augment(32), seed=1, epoch=0, batch=len(photos.train), workers=1)
    assert np.array_equal(batch.images.numpy(), other.images.numpy())
    packed = pack_training(photos, 32, tmp_path / "packed", upright=True)
    assert packed.train[place].packed.height == round(302 * 32 / 48)
    [batch] = train_batches(packed.train, Augment(32), seed=1, epoch=0, batch=len(photos.train), workers=0)
    assert batch.bad == ()
    remove_pack(tmp_path / "packed")


def test_without_the_setting_nothing_is_repaired(folder):
    """Not even of train: these are the photos as `evaluate` and `export` find them."""
    photos = find_photos(folder)
    place = [photo.path.name for photo in photos.train].index("0.jpg")
    [batch] = eval_batches(photos.train[place : place + 1], Preprocess(32), batch=1, workers=0)
    assert "truncated" in batch.bad[0].reason
