from __future__ import annotations

import pytest

from linnet.errors import SettingError
from linnet.recipes.book import book, list_recipes, named


def test_the_list_says_what_a_recipe_needs_and_promises():
    listed = list_recipes("efficientnetv2_s_*")
    assert [entry.name for entry in listed.entries] == [
        f"efficientnetv2_s_{of}" for of in ("paper", "code", "torchvision")
    ]
    header, line, *_ = str(listed).splitlines()
    assert header.split()[:2] == ["recipe", "network"]
    for word in (
        "efficientnetv2_s_paper",
        "tf_efficientnetv2_s",
        "350",
        "128 to 300, 384",
        "4096",
        "83.9 %",
        "TPUv3",
        "Table",
    ):
        assert word in line
    assert "none was reproduced" in str(listed)
    first = listed.to_json()[0]
    assert (first["top1"], first["epochs"], first["image"]) == (83.9, 350, "128 to 300, 384")
    assert len(list_recipes().entries) == len(book())
    assert {entry.network for entry in list_recipes("swin").entries} == {
        f"swin_{size}_patch4_window7_224" for size in ("tiny", "small", "base")
    }


def test_unknown_names_get_the_nearest():
    assert named("mnasnet_a1") is book()["mnasnet_a1"].recipe
    with pytest.raises(SettingError, match="'mnasnet_a1'"):
        named("mnasnet_a11")
    with pytest.raises(SettingError, match="No recipe matches"):
        list_recipes("nonsense")


def test_every_entry_has_a_source_and_no_promise_beyond_100():
    for entry in list_recipes().entries:
        assert entry.source
        assert entry.needs
        assert entry.top1 is None or 60 < entry.top1 < 90
