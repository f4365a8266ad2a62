from __future__ import annotations

import pytest

from linnet.errors import SettingError
from linnet.training.named import read_recipe
from linnet.training.recipe import Recipe


def test_by_name_and_from_a_file(tmp_path, monkeypatch):
    assert read_recipe("mnasnet_a1").arch == "semnasnet_100"
    Recipe(seed=5).save(tmp_path / "mine.json")
    Recipe(seed=6).save(tmp_path / "bare")
    monkeypatch.chdir(tmp_path)
    assert (
        read_recipe(tmp_path / "mine.json") == read_recipe("mine.json") == read_recipe("./mine.json") == Recipe(seed=5)
    )
    assert read_recipe("bare").seed == 6


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("mnasnet_a2", "Did you mean 'mnasnet_a1'"),
        ("gone.json", r"gone\.json: not a recipe"),
        ("a/b", "a/b: not a recipe"),
    ],
)
def test_others_are_refused(place, said, tmp_path):
    with pytest.raises(SettingError, match=said):
        read_recipe(place)
    with pytest.raises(SettingError, match=r"a folder. Give its recipe\.json"):
        read_recipe(tmp_path)
