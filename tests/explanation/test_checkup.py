from __future__ import annotations

import dataclasses
import re

import pytest
from markupsafe import Markup

from linnet.data.doctor import Diagnosis, diagnose
from linnet.data.pack import pack
from linnet.data.shard import opened
from linnet.data.suspect import LabelCheck, Suspect
from linnet.explanation.checkup import checkup
from linnet.explanation.page import render_page

NASTY = ('<img src=x onerror=alert(1)>"', "\u202egpj.exe", "{{ 7 * 7191 }}{% raw %}", "a' onmouseover='x")


@pytest.fixture(scope="module")
def found(nasty, tmp_path_factory) -> Diagnosis:
    root = tmp_path_factory.mktemp("checkup")
    n = 0
    for split in ("train", "validation"):
        for label in NASTY:
            folder = root / split / label.replace("/", "_")
            folder.mkdir(parents=True)
            for _ in range(6):
                nasty.picture(n := n + 1, 90, 60).save(folder / f"<b>{n}.jpg")
    nasty.picture(1, 180, 120).save(root / "validation" / NASTY[0] / "twin.png")
    nasty.picture(1, 900, 60).save(root / "train" / NASTY[1] / "long.png")
    (root / "train" / NASTY[1] / "bad.jpg").write_bytes(b"")
    return diagnose(root)


def test_the_page_escapes_everything_and_asks_for_nothing(found):
    check = LabelCheck("runs/<x>", (Suspect(0, NASTY[0], NASTY[1], 0.98, 0.01, False),), 20, 19, 25)
    text = render_page("checkup", **checkup(dataclasses.replace(found, labels=check), has_csv=True))
    for raw in ("<img src=x", "\u202e", "7191 }}</", "onerror=alert(1)>"):
        assert raw not in text.replace("&lt;img src=x onerror=alert(1)&gt;", "")
    assert "51717837" not in text
    assert not re.search(r"<(script|iframe|object|form|link rel=.stylesheet)", text)
    assert not re.search(r"\sstyle=|\son\w+=\"", text)
    assert all(re.match(r"#[a-z]+$|data:", url) for url in re.findall(r'(?:src|href)="([^"]*)"', text))
    assert "default-src 'none'; style-src 'sha256-" in text
    for said in ("train and validation", "photos.csv beside this page", "the file is empty (0 bytes)", "1 of 20 photos",
                 "very wide or tall", "runs/&lt;x&gt;"):  # fmt: skip
        assert said in text, said
    linked, there = re.findall(r'href="#([a-z]+)"', text), re.findall(r'<h2 id="([a-z]+)"', text)
    assert linked == there


def test_samples_are_the_same_whatever_the_files_are_called(found):
    values = checkup(found, has_csv=False)
    shown = [len(pictures) for _name, _n, pictures in values["samples"]["classes"]]
    assert shown == [found.counts["train"][name] for name in found.photos.classes]
    assert sorted(shown) == [6, 6, 6, 7]
    assert all(isinstance(p["uri"], Markup) for _, _, pictures in values["samples"]["classes"] for p in pictures)
    assert values == checkup(found, has_csv=False)


def test_the_nasty_corpus_makes_a_page(corpus):
    diagnosis = diagnose(corpus[0])
    text = render_page("checkup", **checkup(diagnosis, has_csv=False))
    assert len(text) < 3_000_000
    assert "No model was asked" in text


def test_a_packed_picture_that_goes_bad_meanwhile_is_said(make_photos, tmp_path):
    folder = pack(make_photos({"cat": 6, "dog": 6}), image=16, out=tmp_path / "packed").folder
    diagnosis = diagnose(folder)
    (folder / "photos-00000.tar").write_bytes(b"")
    opened.cache_clear()
    pictures = [p for _, _, pictures in checkup(diagnosis, has_csv=False)["samples"]["classes"] for p in pictures]
    assert pictures
    assert all(not p["uri"] and p["why_not"] for p in pictures)


def test_pictures_that_compress_badly_stay_within_the_budget(tmp_path):
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(0)
    for label in range(40):
        folder = tmp_path / f"class {label}"
        folder.mkdir()
        for n in range(4):
            pixels = rng.integers(0, 256, (130, 130, 3), np.uint8)
            Image.fromarray(pixels).save(folder / f"{n}.png", compress_level=1)
    values = checkup(diagnose(tmp_path), has_csv=False)
    pictures = [p for _, _, pictures in values["samples"]["classes"] for p in pictures]
    assert 80 <= len(pictures) <= 120
    assert len(render_page("checkup", **values)) < 3_000_000
