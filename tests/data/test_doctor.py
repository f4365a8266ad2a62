from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from linnet.data.doctor import Diagnosis, diagnose, examine, stop_if_bad
from linnet.data.source import find_photos
from linnet.errors import DataError


@pytest.fixture(scope="module")
def diagnosis(corpus) -> Diagnosis:
    return diagnose(corpus[0])


def test_every_nasty_file_gets_the_verdict_one_would_want(corpus, diagnosis):
    wanted = corpus[1]
    assert len(wanted) >= 90
    said: dict[str, list] = {}
    for finding in diagnosis.findings:
        said.setdefault(finding.path.removeprefix("odd/"), []).append(finding)
    wrong = {
        name: [(finding.verdict, finding.reason) for finding in said.get(name, [])]
        for name, (verdict, reason) in wanted.items()
        if not any(f.verdict == verdict and reason in f.reason for f in said.get(name, []))
        and not (verdict == "ok" and name not in said)
    }
    assert wrong == {}
    assert set(said) - set(wanted) == set()


def test_only_good_pictures_are_left(corpus, diagnosis):
    names = {p.path.name for members in diagnosis.photos.splits.values() for p in members}
    assert "half.jpg" not in names
    assert "ink.jpg" in names
    bad = sum(verdict == "quarantined" for verdict, _ in corpus[1].values())
    assert diagnosis.bad == {"good": 0, "odd": bad}
    assert sum(diagnosis.counts[split]["good"] for split in diagnosis.counts) == 20


def test_text_and_json_name_every_bad_file(corpus, diagnosis):
    text = diagnosis.to_text()
    value = json.loads(json.dumps(diagnosis.to_json(), allow_nan=False, ensure_ascii=False).encode("utf-8"))
    listed = {finding["path"] for finding in value["findings"] if finding["verdict"] == "quarantined"}
    for name, (verdict, _) in corpus[1].items():
        if verdict == "quarantined":
            assert f"  odd/{name}: " in text
            assert f"odd/{name}" in listed
    assert "9 x turned upright by its EXIF orientation (odd/orientation_2.jpg, ...)" in text
    assert all(line.isprintable() for line in text.split("\n"))
    assert sum(len(files) for files in value["files"].values()) == sum(map(len, diagnosis.photos.splits.values()))
    assert value["sizes"]["width"] == {"min": 1, "median": 60, "max": 9400}


def test_the_messy_folder_of_180_good_and_16_odd_ones(tmp_path, nasty):
    root = tmp_path / "photos"
    nasty.write_messy(root)
    diagnosis = examine(root)
    assert sum(map(len, diagnosis.photos.splits.values())) == 180 + 8
    assert {finding.path: finding.reason.partition(":")[0] for finding in diagnosis.quarantined()} == {
        "cat/zero_bytes.jpg": "the file is empty (0 bytes)",
        "cat/half.jpg": "the JPEG is truncated",
        "cat/page.jpg": "not an image (looks like HTML); Linnet reads JPEG, PNG, WEBP, GIF, BMP, TIFF"
        + ", AVIF" * ("AVIF" in diagnosis.to_text()),
    }
    assert diagnosis.problems == ()
    assert {f.path for f in diagnosis.findings if f.verdict in ("ignored", "left out")} == {
        "cat/.DS_Store", "dog/Thumbs.db", "owl/labels.txt", "__MACOSX", "empty",
    }  # fmt: skip
    assert diagnosis.bad_share == pytest.approx(3 / 191)
    assert "Nothing stands against training" in diagnosis.to_text()


def test_more_than_the_allowed_share_of_bad_files_stops_with_a_list(make_photos):
    root = make_photos({"cat": 30, "dog": 30})
    for n in range(30):
        (root / "cat" / f"bad{n:02}.jpg").write_text("<html>")
    with pytest.raises(DataError) as caught:
        examine(root)
    lines = str(caught.value).split("\n")
    assert "33.3% of the files are bad (allowed: 5.0%; --max-bad allows more)" in lines[0]
    assert lines[1].startswith("  cat/bad00.jpg: not an image (looks like HTML)")
    assert len(lines) == 22
    assert "and 10 more; `linnet doctor` lists all" in lines[-1]
    assert len(examine(root, max_bad=0.4).quarantined()) == 30
    with pytest.raises(DataError, match=r"33.3% of the files"):
        stop_if_bad(diagnose(root), 0.1)


def test_files_to_mend_are_only_named_where_there_are_any(make_photos):
    root = make_photos({"train/cat": 3, "train/dog": 3})
    (root / "validation").mkdir()
    with pytest.raises(DataError) as caught:
        stop_if_bad(diagnose(root), 0.1)
    assert "Mend or remove these files" not in str(caught.value)


def test_a_class_whose_files_are_all_bad_stops_whatever_is_allowed(make_photos):
    root = make_photos({"cat": 100, "dog": 100, "owl": 0})
    (root / "owl" / "1.jpg").write_bytes(b"")
    (root / "owl" / "2.jpg").write_bytes((root / "cat" / "0.jpg").read_bytes()[:300])
    with pytest.raises(DataError, match=r"the class 'owl' has no good photo to train with \(2 bad\)"):
        examine(root, max_bad=1.0)
    assert diagnose(root).problems == ("the class 'owl' has no good photo to train with (2 bad)",)


@pytest.mark.parametrize("same", [True, False])
def test_a_split_whose_files_are_all_bad_stops(make_photos, same):
    root = make_photos({"train/cat": 50, "train/dog": 50})
    for label in ("cat", "dog"):
        (root / "val" / label).mkdir(parents=True)
        name = "cat" if same else label  # the same bytes under two labels are left out before they are decoded
        (root / "val" / label / "1.jpg").write_bytes((root / "train" / name / "0.jpg").read_bytes()[:-9])
    with pytest.raises(
        DataError, match="validation has no photo that can" if same else "all photos of validation are bad"
    ):
        examine(root)


def test_found_photos_can_be_given_and_imbalance_is_said(make_photos):
    root = make_photos({"train/cat": 40, "train/dog": 4, "val/cat": 2, "val/dog": 2})
    diagnosis = examine(find_photos(root), workers=1)
    assert diagnosis.counts == {
        "train": {"cat": 40, "dog": 4},
        "validation": {"cat": 2, "dog": 2},
        "test": {"cat": 0, "dog": 0},
    }
    assert diagnosis.imbalance == 10
    assert "10.0 times the photos of the smallest" in " ".join(str(diagnosis).split())
    assert diagnosis.sizes["height"] == {"min": 18, "median": 18, "max": 18}


def test_look_alikes_are_found_in_the_pass_that_decodes_the_photos(make_photos, nasty):
    root = make_photos({"train/cat": 10, "train/dog": 10, "test/cat": 2, "test/dog": 2})
    nasty.picture(1, 300, 200).save(root / "train/cat/large.jpg", quality=90)
    nasty.picture(1, 150, 100).save(root / "test/dog/small.png")
    (root / "train/dog/again.jpg").write_bytes((root / "train/dog/0.jpg").read_bytes())  # identical: said already
    diagnosis = diagnose(root)
    (pair,) = diagnosis.alike.pairs
    assert [diagnosis.everything[n].path.name for n in pair[:2]] == ["large.jpg", "small.png"]
    told = " ".join(str(diagnosis).split())
    assert "1 of the 5 test photos looks like photos of an earlier split" in told
    assert "1 pair of look-alikes has different labels" in told
    value = diagnosis.to_json()
    assert value["near_duplicates"]["across_splits"] == {"test": 1}
    assert value["near_duplicates"]["pairs"][0]["paths"] == ["train/cat/large.jpg", "test/dog/small.png"]
    assert value["formats"] == {"JPEG": 26, "PNG": 1}
    assert value["size"]["enlarged"] == 27
    assert {remark["topic"] for remark in value["remarks"]} >= {"near-duplicates", "size", "balance"}


def test_it_prints_as_its_text(diagnosis):
    assert str(diagnosis) + "\n" == diagnosis.to_text()


def test_photos_with_several_labels_count_for_each(make_photos, tmp_path):
    make_photos({"x": 8}, root=tmp_path)
    rows = ["path,labels,split", *(f"x/{n}.jpg,{'cat;dog' if n % 2 else 'cat'},train" for n in range(7))]
    (tmp_path / "x" / "7.jpg").write_bytes(b"")
    (tmp_path / "p.csv").write_text("\n".join([*rows, "x/7.jpg,dog,validation"]) + "\n")
    diagnosis = diagnose(tmp_path / "p.csv")
    assert diagnosis.counts["train"] == {"cat": 7, "dog": 3}
    assert diagnosis.bad_share == pytest.approx(1 / 8)
    assert json.loads(json.dumps(diagnosis.to_json()))["near_duplicates"]["n"] == 0


def test_the_module_is_light():
    code = "import sys, linnet.data.doctor; print([m for m in ('torch', 'numpy', 'PIL') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.stdout == "[]\n", done.stderr


@pytest.mark.skipif(os.name != "posix", reason="counts the processor time of child processes")
def test_hundreds_of_photos_a_second(tmp_path, nasty):
    import resource

    data = nasty.encoded(nasty.picture(1, 400, 533), "JPEG", quality=85)
    for label in ("cat", "dog"):
        (tmp_path / label).mkdir()
        for n in range(200):
            (tmp_path / label / f"{n}.jpg").write_bytes(data + f"{label}{n}".encode())

    def used() -> float:  # not the clock: others may be busy on this machine
        usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(usage.ru_utime + usage.ru_stime for usage in usages)

    before = used()
    assert sum(map(len, examine(tmp_path, workers=2).photos.splits.values())) == 400
    assert used() - before < 2.1  # what 400 have of 3,800 in 10 s on two cores; measured: 0.5


def test_look_alikes_that_do_harm_are_named(tmp_path, nasty):
    for n in range(12):
        for split, label, side in (("train", "cat", 96), ("test", "cat", 80)):  # the same at another size
            (tmp_path / split / label).mkdir(parents=True, exist_ok=True)
            nasty.picture(n, side, side).save(tmp_path / split / label / f"{n:02}.png")
    for split in ("train", "validation"):
        for n in range(3):
            (tmp_path / split / "dog").mkdir(parents=True, exist_ok=True)
            nasty.picture(100 + n + 10 * len(split), 96, 96).save(tmp_path / split / "dog" / f"{n}.png")
    nasty.picture(100 + 10 * len("train"), 70, 70).save(tmp_path / "train" / "cat" / "other.png")
    text = diagnose(tmp_path).to_text()
    title = "Look-alikes in two splits or of two labels (13; --out FOLDER shows the pictures):\n"
    listed = text.partition(title)[2].partition("\n\n")[0].splitlines()
    assert len(listed) == 11
    assert "train/cat/00.png (train, cat) looks like test/cat/00.png (test, cat)" in "\n".join(listed[:10])
    assert listed[-1] == "  ... and 3 more"
    (tmp_path / "two" / "cat").mkdir(parents=True)
    (tmp_path / "two" / "dog").mkdir(parents=True)
    for n in range(4):  # look-alikes of one label in one split do no harm
        nasty.picture(1, 90 + n, 90 + n).save(tmp_path / "two" / "cat" / f"{n}.png")
        nasty.picture(50 + n, 90, 90).save(tmp_path / "two" / "dog" / f"{n}.png")
    alone = diagnose(find_photos(tmp_path / "two", validation=0, test=0))
    assert alone.alike.pairs
    assert "Look-alikes" not in alone.to_text()
