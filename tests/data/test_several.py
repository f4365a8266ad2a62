from __future__ import annotations

import hashlib

import pytest
import torch

from linnet.data.listing import list_photos
from linnet.data.loader import eval_batches
from linnet.data.mix import mix, smooth_targets, step_numbers
from linnet.data.preprocess import Preprocess
from linnet.data.several import label_columns, labels_of, multi_hot, split_several, too_few
from linnet.data.source import find_photos
from linnet.errors import DataError

SHARES = {"validation": 0.1, "test": 0.1}


def digest(n: int) -> str:
    return hashlib.sha256(str(n).encode()).hexdigest()


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("path,labels\na.jpg,cat;dog\nb.jpg,\nc.jpg,dog; dog ;;cat\n", ()),
        ("Labels,Split,Path\ncat;dog,train,a.jpg\n,val,b.jpg\ndog;cat,test,c.jpg\n", ()),
        ("path;labels\na.jpg;'cat;dog'\nb.jpg;\nc.jpg;'dog;cat'\n".replace("'", '"'), ()),
        ("path,dog,cat\na.jpg,1,1\nb.jpg,0,0\nc.jpg,1,1\n", ("dog", "cat")),
        ("path,split,dog,cat\na.jpg,train,1,1\nb.jpg,val,0,0\nc.jpg,test, 1,1\n", ("dog", "cat")),
    ],
)
def test_both_forms_say_the_same(tmp_path, text, own):
    (tmp_path / "list.csv").write_text(text, encoding="utf-8")
    listing = list_photos(tmp_path / "list.csv")
    assert [entry.several for entry in listing.entries] == [("cat", "dog"), (), ("cat", "dog")]
    assert {entry.label for entry in listing.entries} == {""}
    assert label_columns(text.split("\n")[0].replace(";", ",").split(","), "here") == own


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("path,labels\n", "has no rows"),
        ("path,labels,label\na.jpg,cat,cat\n", "beside labels there is a column 'label'.*not both"),
        ("path,labels,cat\na.jpg,cat,1\n", "beside labels there is a column 'cat'.*not both"),
        ("path,split\na.jpg,train\n", "no column that says labels"),
        ("path,cat,cat\na.jpg,1,1\n", "two columns 'cat'"),
        ("path,cat,\na.jpg,1,1\n", "column 3 has no name"),
        ("path,lable\na.jpg,cat\n", "row 2: column 'lable' holds 'cat', not 0 or 1. Did you mean 'label'"),
        ("path,cat,dog\na.jpg,1,yes\n", "row 2: column 'dog' holds 'yes', not 0 or 1"),
        ("path,cat,dog\na.jpg,1,\n", "row 2: column 'dog' holds '', not 0 or 1"),
        ("path,cat,dog\na.jpg,1\n", "row 2: 'a.jpg,1' is not path,cat,dog"),
        ("path,labels\na.jpg,cat,dog\n", "row 2: 'a.jpg,cat,dog' is not path,labels"),
        ("path,labels,split\na.jpg,cat,tset\n", "split 'tset'.*Did you mean 'test'"),
        ("path,labels\na.jpg,cat\nb.jpg,cat\n", "one class with pictures, 'cat'"),
        ("path,labels\na.jpg,\nb.jpg,\n", "no picture in train that has a label"),
        ("path,labels,split\na.jpg,cat;dog,train\nb.jpg,cta,test\n", "test has classes.*'cta'.*Did you mean 'cat'"),
    ],
)
def test_a_wrong_csv_is_refused_in_one_line(tmp_path, text, words):
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(DataError, match=words) as caught:
        find_photos(tmp_path / "list.csv")
    assert "\n" not in str(caught.value)


def test_a_column_without_a_photo_is_left_out_and_said(tmp_path, nasty):
    for n in range(4):
        nasty.picture(n, 24, 18).save(tmp_path / f"{n}.jpg")
    rows = [f"{n}.jpg,{n % 2},1,0" for n in range(4)]
    (tmp_path / "list.csv").write_text("\n".join(["path,cat,dog,cow", *rows]))
    photos = find_photos(tmp_path / "list.csv", validation=0.0, test=0.0)
    assert photos.several
    assert photos.classes == ("cat", "dog")
    assert [photo.multi_hot for photo in photos.train] == [b"\0\1", b"\1\1", b"\0\1", b"\1\1"]
    assert [photo.labels for photo in photos.train] == [(1,), (0, 1), (1,), (0, 1)]
    assert {photo.label for photo in photos.train} == {-1}
    assert [f.reason for f in photos.findings] == ["no photo has the label 'cow': it is left out"]


def test_labels_of_a_list():
    assert labels_of({"labels": " cat ;;dog;cat"}, (), "here") == ("cat", "dog")


def test_multi_hot():
    assert multi_hot(("c", "a"), ("a", "b", "c")) == b"\1\0\1"


def test_a_place_depends_on_the_content_alone():
    labels = {digest(n): ("cat", "dog")[: 1 + n % 2] for n in range(1000)}
    places = split_several(labels, SHARES)
    assert 70 < sum(split == "test" for split in places.values()) < 130
    more = labels | {digest(n): ("cow",) for n in range(1000, 1500)}
    again = split_several(more, SHARES)
    assert {name: again[name] for name in labels} == places
    assert all(place == "test" for name, place in places.items() if int(name[:6], 16) / 16**6 < 0.09)


def test_every_split_has_each_label_that_has_pictures_enough():
    labels = {digest(n): ("cat",) for n in range(60)}
    labels |= {digest(n): ("rare", "cat") for n in range(60, 63)}
    labels |= {digest(n): ("rarer",) for n in range(63, 65)}
    labels |= {digest(n): () for n in range(65, 80)}
    places = split_several(labels, SHARES)
    for label, wanted in (("cat", {"train", "validation", "test"}), ("rare", {"train", "validation", "test"})):
        assert {places[name] for name, said in labels.items() if label in said} == wanted
    assert {places[name] for name, said in labels.items() if "rarer" in said} == {"train"}
    assert too_few(labels, 3) == [("rarer", 2)]
    assert set(split_several(labels, {"validation": 0.0, "test": 0.0}).values()) == {"train"}


def test_pictures_with_different_label_sets_are_left_out(tmp_path, nasty):
    for n in range(6):
        nasty.picture(n, 24, 18).save(tmp_path / f"{n}.jpg")
    (tmp_path / "copy.jpg").write_bytes((tmp_path / "0.jpg").read_bytes())
    rows = ["path,labels", *(f"{n}.jpg,cat;dog" for n in range(6)), "copy.jpg,cat"]
    (tmp_path / "list.csv").write_text("\n".join(rows))
    photos = find_photos(tmp_path / "list.csv")
    reasons = {f.path: f.reason for f in photos.findings if f.verdict == "left out"}
    assert reasons == {
        "0.jpg": "the same picture is labelled 'cat' in copy.jpg: remove the wrong one",
        "copy.jpg": "the same picture is labelled 'cat;dog' in 0.jpg: remove the wrong one",
    }
    assert sum(map(len, photos.splits.values())) == 5


def test_batches_are_multi_hot(tmp_path, nasty):
    for n in range(5):
        nasty.picture(n, 24, 18).save(tmp_path / f"{n}.jpg")
    rows = ["path,labels", "0.jpg,cat;dog", "1.jpg,", "2.jpg,cow", "3.jpg,cat", "4.jpg,cow;dog"]
    (tmp_path / "list.csv").write_text("\n".join(rows))
    photos = find_photos(tmp_path / "list.csv", validation=0.0, test=0.0).train
    batch = next(eval_batches(photos, Preprocess(image=16), batch=8, workers=0))
    assert batch.labels.dtype == torch.uint8
    assert batch.labels.tolist() == [[1, 0, 1], [0, 0, 0], [0, 1, 0], [1, 0, 0], [0, 1, 1]]


def test_smoothing_of_multi_hot_labels_is_binary():
    labels = torch.tensor([[1, 0, 1], [0, 0, 0]], dtype=torch.uint8)
    targets = smooth_targets(labels, 3, 0.2)
    assert targets.tolist() == [pytest.approx([0.9, 0.1, 0.9]), pytest.approx([0.1, 0.1, 0.1])]
    images = torch.arange(2.0).view(2, 1, 1, 1).expand(2, 3, 4, 4).contiguous()
    mixed, said = mix(images, smooth_targets(labels, 3, 0.0), mixup=1.0, cutmix=0.0, rng=step_numbers(0, 1))
    share = 1 - float(mixed[0, 0, 0, 0])  # of picture 0 in itself
    assert said.tolist() == [pytest.approx([share, 0, share]), pytest.approx([1 - share, 0, 1 - share])]
