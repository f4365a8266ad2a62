from __future__ import annotations

import numpy as np
import pytest
from pages import check_inert
from PIL import Image

from linnet.errors import SettingError
from linnet.rehearsal import preview
from linnet.training.recipe import Phase, Recipe


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    root, rng = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for name in ("cat", "dog"):
        (root / name).mkdir()
        for i in range(12):
            Image.fromarray(rng.integers(0, 255, (40, 40, 3), dtype=np.uint8)).save(root / name / f"{i}.png")
    return root


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Recipe(phases=(Phase(epochs=2, image=32, batch=8), Phase(image=48, batch=4, cutmix=1.0))).save("mine.json")
    return "mine.json"


def test_a_page_of_both_phases(recipe, photos, tmp_path):
    made = preview(recipe, photos, pictures=3)
    assert made.phases == ("Phase 1: epochs 1 to 2, 32 px, batch 8", "Phase 2: epoch 3, 48 px, batch 4")
    assert str(made.page) == "preview-mine.html"
    assert "preview-mine.html" in str(made)
    page = check_inert((tmp_path / "preview-mine.html").read_text(encoding="utf-8"))
    assert len(page.all("img")) == 2 * 3 * 2
    before = (tmp_path / "preview-mine.html").read_bytes()
    assert str(preview(recipe, photos, pictures=3).page) == "preview-mine-2.html"
    assert (tmp_path / "preview-mine-2.html").read_bytes() == before  # the same each time


def test_a_setting_can_be_tried(recipe, photos):
    assert "64 px" in preview(recipe, photos, set=["phases.1.image=64"], pictures=1).phases[1]


def test_what_is_wrong_is_said_first(recipe, photos, tmp_path):
    with pytest.raises(SettingError, match="Which photos"):
        preview(recipe)
    with pytest.raises(SettingError, match="1 to 100"):
        preview(recipe, photos, pictures=0)
    with pytest.raises(SettingError, match="nothing is overwritten"):
        preview(recipe, photos, out=tmp_path / "mine.json")
    with pytest.raises(SettingError):
        preview("no_such_recipe", photos)
