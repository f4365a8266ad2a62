from __future__ import annotations

import base64
import io

from PIL import Image

from linnet.data.pack import pack
from linnet.explanation.thumbnail import SIDE, thumbnail


def test_a_photo_becomes_a_small_jpeg_inside_the_page(tmp_path):
    Image.new("RGB", (1200, 600), (200, 30, 30)).save(tmp_path / "red.png")
    uri, why_not = thumbnail(tmp_path / "red.png")
    assert why_not == ""
    head, _, data = uri.partition(",")
    assert head == "data:image/jpeg;base64"
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (SIDE, SIDE // 2)


def test_a_photo_that_is_gone_says_so(tmp_path):
    assert thumbnail(tmp_path / "gone.jpg") == ("", "missing")


def test_a_size_can_be_asked_for(tmp_path):
    import numpy as np

    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    large, small = thumbnail(tmp_path / "noise.png", 160)[0], thumbnail(tmp_path / "noise.png", 160, 12_000)[0]
    assert len(small) <= 12_000 < len(large)


def test_a_packed_photo_is_shown_too(tmp_path):
    for name, colour in (("cat", "red"), ("dog", "blue")):
        (tmp_path / "photos" / name).mkdir(parents=True)
        Image.new("RGB", (60, 40), colour).save(tmp_path / "photos" / name / "1.png")
    folder = pack(tmp_path / "photos", image=20, out=tmp_path / "packed").folder
    uri, why_not = thumbnail(folder / "cat" / "1.png")
    assert why_not == ""
    assert Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).size == (30, 20)
