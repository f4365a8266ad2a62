"""A run that resizes its photos once: the same result wherever it is cut, whatever the number of workers."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import time
from pathlib import Path

import pytest
from powercut import PowerCut

from linnet.data.pack import pack
from linnet.data.source import find_photos
from linnet.errors import DataError, FileError
from linnet.training import prepare
from linnet.training.log import read_log
from linnet.training.loop import run
from linnet.training.progress import Progress


@pytest.fixture(scope="module")
def packing(tiny_recipe):
    return dataclasses.replace(tiny_recipe, pack=36, save_minutes=1e-9)


@pytest.fixture(scope="module")
def whole(packing, tiny_photos, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    run(packing, tiny_photos, folder, progress=Progress(quiet=True))
    return folder


class Cut(Progress):
    """Ends the run at a step; looks whether the packed pictures were there."""

    def __init__(self, at: int, folder: Path) -> None:
        super().__init__(quiet=True)
        self.left, self.folder, self.seen = at, folder, False

    def step(self, *args: object) -> None:
        self.left -= 1
        self.seen = (self.folder / prepare.PACKED / "photos-00000.tar").is_file()
        if self.left == 0:
            raise PowerCut


@pytest.mark.parametrize("at", [1, 8])
def test_cut_and_resumed_equals_uninterrupted(at, packing, tiny_photos, tmp_path, quiet, whole, outcome):
    cut = Cut(at, tmp_path)
    with pytest.raises(PowerCut):
        run(packing, tiny_photos, tmp_path, progress=cut)
    assert cut.seen
    assert not (tmp_path / prepare.PACKED).exists(), "it takes its pictures away"
    run(None, tiny_photos, tmp_path, resume=True, progress=quiet)
    assert outcome(tmp_path) == outcome(whole)
    assert not (tmp_path / prepare.PACKED).exists()


@pytest.mark.parametrize("workers", [1, 2])
def test_the_number_of_workers_changes_nothing(workers, packing, tiny_photos, tmp_path, quiet, whole, outcome):
    run(dataclasses.replace(packing, workers=workers), tiny_photos, tmp_path, progress=quiet)
    assert outcome(tmp_path) == outcome(whole)


def test_kill_9_leaves_pictures_that_the_resumed_run_packs_anew(packing, tiny_photos, tmp_path, quiet, whole, outcome):
    recipe, folder = tmp_path / "given.json", tmp_path / "run"
    packing.save(recipe)
    code = (
        "import sys, time\n"
        "from linnet.data.source import find_photos\n"
        "from linnet.training.loop import run\n"
        "from linnet.training.progress import Progress\n"
        "from linnet.training.recipe import Recipe\n"
        "import torch\n"
        "torch.set_num_threads(1)\n"
        "class Slow(Progress):\n"
        "    def step(self, *args):\n"
        "        time.sleep(0.2)\n"
        "run(Recipe.load(sys.argv[1]), find_photos(sys.argv[2]), sys.argv[3], progress=Slow(quiet=True))\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(recipe), str(tiny_photos.root), str(folder)])
    until = time.monotonic() + 60
    while time.monotonic() < until and child.poll() is None:
        if (folder / "log.jsonl").is_file() and '"kind":"step"' in (folder / "log.jsonl").read_text().replace(" ", ""):
            break
        time.sleep(0.05)
    child.kill()
    assert child.wait() < 0, "it was over before it could be killed"
    left = folder / prepare.PACKED / "photos-00000.tar"
    assert left.is_file()
    left.write_bytes(b"cut short")
    run(None, tiny_photos, folder, resume=True, progress=quiet)
    assert outcome(folder) == outcome(whole)


def test_pictures_resized_once_are_others_than_those_of_the_files(finished, whole, outcome):
    assert outcome(finished) != outcome(whole)


def test_a_full_disk_is_said_before_the_first_step(packing, tiny_photos, tmp_path, quiet, monkeypatch):
    monkeypatch.setattr("linnet.data.pack.size_of", lambda *_, **__: 10**18)
    with pytest.raises(FileError, match="bytes free"):
        run(packing, tiny_photos, tmp_path, progress=quiet)
    assert not [line for line in read_log(tmp_path) if line["kind"] == "step"]


def test_what_a_user_packs_into_the_runs_folder_stays(packing, tiny_photos, tmp_path, quiet):
    run(packing, tiny_photos, tmp_path / "run", progress=quiet)
    folder = pack(tiny_photos.root, image=24, out=tmp_path / "run/packed").folder
    before = sorted(path.name for path in folder.iterdir())
    run(None, tiny_photos, tmp_path / "run", resume=True, progress=quiet)
    assert sorted(path.name for path in folder.iterdir()) == before
    run(dataclasses.replace(packing, pack=None), tiny_photos, tmp_path / "run", progress=quiet)
    assert sorted(path.name for path in folder.iterdir()) == before


def test_packed_photos_are_other_photos_than_their_files(packing, tiny_photos, tmp_path, quiet):
    """Same digests, other pixels: a run does not go on with the one in place of the other."""
    folder = pack(tiny_photos.root, image=24, out=tmp_path / "packed").folder
    cut = Cut(1, tmp_path)
    with pytest.raises(PowerCut):
        run(dataclasses.replace(packing, pack=None), tiny_photos, tmp_path / "run", progress=cut)
    with pytest.raises(DataError, match="not the photos"):
        run(None, find_photos(folder), tmp_path / "run", resume=True, progress=quiet)
