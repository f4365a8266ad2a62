from __future__ import annotations

import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from linnet.data import inspector
from linnet.data.inspector import Look, inspect
from linnet.errors import LinnetError

# A child whose decoder hangs, dies or says nothing for files with these names: no real picture is known to do so.
TROUBLED = """
import os, signal, time
from linnet.data import image, inspector
real = image.open_image
def troubled(path, **options):
    name = os.path.basename(path)
    if "hang" in name: time.sleep(60)
    if "crash" in name: os.kill(os.getpid(), signal.SIGSEGV)
    if "exit" in name: os._exit(3)
    return real(path, **options)
image.open_image = troubled
inspector.main()
"""


@pytest.fixture
def pictures(nasty, tmp_path):
    paths = []
    for n in range(100):
        paths.append(str(tmp_path / f"{n}.jpg"))
        nasty.picture(n, 30, 20).save(paths[-1])
    return paths


def test_looks_come_in_order_with_sizes_notes_and_thumbnails(nasty, pictures, tmp_path):
    for name, data in (
        ("turned.jpg", nasty.turned(1, 6)),
        ("page.jpg", b"<html>"),
        ("caf\udce9\n.jpg", nasty.turned(1, 1)),
    ):
        (tmp_path / name).write_bytes(data)
        pictures.insert(50, str(tmp_path / name))
    steps = []
    looks = inspect(pictures, workers=2, progress=lambda done, total: steps.append((done, total)))
    assert [look.size for look in looks[:50] + looks[53:]] == [(30, 20)] * 100
    assert looks[50].size == (60, 45)
    assert "looks like HTML" in looks[51].bad
    assert looks[52] == Look(size=(60, 45), notes=["turned upright by its EXIF orientation"], kind="JPEG")
    small = np.frombuffer(looks[52].thumb, np.uint8).reshape(16, 16, 3)
    exact = np.asarray(nasty.picture(1).resize((16, 16), Image.Resampling.BOX))
    assert np.abs(small.astype(int) - exact).mean() < 6  # upright, as the network sees it; smoothed, so not equal
    assert looks[51].thumb == b""
    assert steps[-1] == (103, 103)
    assert steps == sorted(steps)


def test_a_picture_that_hangs_or_kills_its_decoder_costs_only_itself(pictures, nasty, tmp_path):
    for at, name in ((3, "crash.jpg"), (4, "crash2.jpg"), (40, "exit.jpg"), (77, "hang.jpg"), (103, "crash3.jpg")):
        pictures.insert(at, str(tmp_path / name))
        nasty.picture(1).save(tmp_path / name)
    start = time.monotonic()
    looks = inspect(pictures, workers=2, seconds=1.5, command=[sys.executable, "-c", TROUBLED])
    assert time.monotonic() - start < 30
    bad = {at: look.bad for at, look in enumerate(looks) if look.bad}
    crashed = "it ends the process that decodes it (code -11)"
    exited = "it ends the process that decodes it (code 3)"
    assert bad == {3: crashed, 4: crashed, 40: exited, 77: "it takes too long to decode", 103: crashed}
    assert all(look.size == (30, 20) for look in looks if not look.bad)


def test_a_child_that_does_not_start_is_an_error_not_a_verdict(pictures):
    with pytest.raises(LinnetError, match="Cannot start"):
        inspect(pictures, command=[sys.executable, "-c", "raise SystemExit(1)"])


def test_an_interruption_leaves_no_child_behind(pictures, monkeypatch):
    children = []
    real = subprocess.Popen

    def remembered(*arguments, **options):
        children.append(real(*arguments, **options))
        return children[-1]

    def interrupt(done: int, total: int) -> None:
        if children:
            raise KeyboardInterrupt

    monkeypatch.setattr(inspector.subprocess, "Popen", remembered)
    with pytest.raises(KeyboardInterrupt):
        inspect(pictures, workers=2, progress=interrupt)
    assert children
    for child in children:
        assert child.wait(10) is not None


def test_nothing_to_look_at():
    assert inspect([]) == []
