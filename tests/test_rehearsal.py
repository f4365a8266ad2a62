from __future__ import annotations

import shutil

import numpy as np
import pytest
from pages import check_inert
from PIL import Image

from linnet.errors import DataError, SettingError
from linnet.rehearsal import preview
from linnet.training.recipe import Phase, Recipe
from linnet.training.start import look_at


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


def test_it_shows_what_a_training_sees_though_a_photo_cannot_be_decoded(recipe, photos, tmp_path, monkeypatch):
    """A file that begins as a picture does and ends too early: it is listed, and takes part in nothing."""
    root = tmp_path / "mine"
    shutil.copytree(photos, root)
    for name in ("cat", "dog"):
        (root / name / "0.png").write_bytes((root / name / "0.png").read_bytes()[:300])
    asked = []
    monkeypatch.setattr("linnet.training.preview.first_batches", lambda *given, most: asked.append(given) or ())
    preview(recipe, root, set=["max_bad=0.2"])
    [(chosen, found)] = asked
    assert found == look_at(root, max_bad=0.2).photos
    assert sum(map(len, found.splits.values())) == 22
    assert chosen.loss == "softmax"
    with pytest.raises(DataError, match="of the files are bad"):
        preview(recipe, root)


def test_photos_with_several_labels_are_refused_where_a_training_refuses_them(recipe, photos, tmp_path):
    rows = [f"{path},{path.parent.name}" for path in sorted(photos.rglob("*.png"))]
    (tmp_path / "photos.csv").write_text("\n".join(["path,labels", *rows]))
    with pytest.raises(SettingError, match="several labels of each photo"):
        preview(recipe, tmp_path / "photos.csv", set=["loss=softmax"])


def test_paths_may_be_text(recipe, photos, tmp_path):
    assert preview(recipe, str(photos), pictures=1, out=str(tmp_path / "page.html")).page == tmp_path / "page.html"


def test_what_is_wrong_is_said_first(recipe, photos, tmp_path):
    with pytest.raises(SettingError, match="Which photos"):
        preview(recipe)
    with pytest.raises(SettingError, match="1 to 100"):
        preview(recipe, photos, pictures=0)
    with pytest.raises(SettingError, match="nothing is overwritten"):
        preview(recipe, photos, out=tmp_path / "mine.json")
    with pytest.raises(SettingError):
        preview("no_such_recipe", photos)
