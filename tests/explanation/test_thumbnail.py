from __future__ import annotations

import base64
import io

from PIL import Image

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
