from __future__ import annotations

from pathlib import Path

import numpy as np
from pages import NASTY, check_inert
from PIL import Image

from linnet.explanation.preview_page import Shown, render_preview, target_text
from linnet.training.recipe import Phase, Recipe


def test_the_page_shows_each_phase_and_nothing_in_it_runs(tmp_path):
    Image.new("RGB", (300, 200), (200, 30, 30)).save(tmp_path / "a.jpg")
    recipe = Recipe(phases=(Phase(image=32, mixup=0.2), Phase(image=48, randaugment=9.0)), pack=64)
    pictures = np.zeros((2, 32, 32, 3), np.uint8)
    targets = np.array([[0.75, 0.25], [0.0, 1.0]])
    paths = [tmp_path / "a.jpg", Path("/elsewhere") / NASTY[0]]
    shown = [Shown(f"Phase {i}: {NASTY[1]}", 8, pictures, paths, targets, i) for i in (1, 2)]
    text = render_preview(recipe.to_json(), shown, classes=[NASTY[0], "hat"], root=tmp_path, photos=100)
    found = check_inert(text.replace("#phase", "#"))
    assert len(found.all("img")) == 2 * (2 + 1)  # the second photo is missing
    for words in (f"{NASTY[0]} 75\u00a0%, hat 25\u00a0%".replace("\u00a0", " "), "RandAugment", "32 pixels a side",
                  "2 photos of the batch cannot be read", "short side of 64 pixels", "no picture: missing"):  # fmt: skip
        assert words in found.text, words
    assert "/elsewhere" not in text


def test_what_smoothing_gives_to_all_is_not_said():
    classes = ["a", "b", "c", "d"]
    assert target_text(np.array([0.025, 0.025, 0.925, 0.025]), classes, 0.1) == "c 92\u00a0%"
    assert target_text(np.array([0.2, 0.05, 0.7, 0.05]), classes, 0.2) == "c 70\u00a0%, a 20\u00a0%"
    assert target_text(np.array([0.05, 0.95, 0.95, 0.05]), classes, 0.1) == "b 95\u00a0%, c 95\u00a0%"  # several labels
    assert target_text(np.zeros(4), classes) == "no label"
