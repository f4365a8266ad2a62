from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"  # no network in tests; child processes inherit it


@pytest.fixture(scope="session")
def nasty():
    """The module nasty.py in data/: makers of odd pictures and the corpus."""
    spec = importlib.util.spec_from_file_location("nasty", Path(__file__).parent / "data" / "nasty.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["nasty"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def corpus(nasty, tmp_path_factory):
    """(folder of photos, {name: Wanted}) of the nasty corpus; read only."""
    folder = tmp_path_factory.mktemp("nasty")
    wanted = nasty.write_corpus(folder)
    return folder / "photos", wanted


@pytest.fixture
def make_photos(tmp_path, nasty):
    """A function that writes small distinct JPEGs: make_photos({"train/cat": 3, "val/cat": 1}) gives the root."""
    made = iter(range(10_000, 1_000_000))

    def make(folders: dict[str, int], root: Path = tmp_path / "photos") -> Path:
        for folder, n in folders.items():
            (root / folder).mkdir(parents=True, exist_ok=True)
            for number in range(n):
                nasty.picture(next(made), 24, 18).save(root / folder / f"{number}.jpg")
        return root

    return make
