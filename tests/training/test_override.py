from __future__ import annotations

import dataclasses
import math

import pytest

from linnet.errors import SettingError
from linnet.training.ingredients import AdamW, Cosine, Sgd
from linnet.training.override import override, without_rows
from linnet.training.recipe import Phase, Recipe

RECIPE = Recipe(phases=tuple(Phase(epochs=2, image=image) for image in (96, 128, 160)), pack=200, clip=1.0)


@pytest.mark.parametrize(
    ("setting", "get", "value"),
    [
        ("seed=3", lambda r: r.seed, 3),
        ("optimizer.lr=0.01", lambda r: r.optimizer.lr, 0.01),
        ("optimizer.betas=[0.9,0.99]", lambda r: r.optimizer.betas, (0.9, 0.99)),
        ("phases.2.image=192", lambda r: [row.image for row in r.phases], [96, 128, 192]),
        ("phases.dropout=0.2", lambda r: [row.dropout for row in r.phases], [0.2] * 3),
        ("phases.0.sizes=[96,128]", lambda r: r.phases[0].sizes, (96, 128)),
        ("pack=null", lambda r: r.pack, None),
        ("clip=inf", lambda r: r.clip, math.inf),
        ("arch=resnet50", lambda r: r.arch, "resnet50"),
        ("workers=auto", lambda r: r.workers, "auto"),
        ("bn_frozen=true", lambda r: r.bn_frozen, True),
        ("optimizer.kind=sgd", lambda r: r.optimizer, Sgd()),
        ("optimizer.kind=adamw", lambda r: r.optimizer, AdamW()),
        ('schedule={"kind":"cosine","final":0.1}', lambda r: r.schedule, Cosine(final=0.1)),
        ("preprocess.crop=0.9", lambda r: r.preprocess, {"crop": 0.9}),
        ('phases=[{"epochs":4}]', lambda r: r.phases, (Phase(epochs=4),)),
        ("photos=a=b", lambda r: r.photos, "a=b"),
    ],
)
def test_a_setting_wherever_it_is(setting, get, value):
    assert get(override(RECIPE, [setting])) == value
    assert override(RECIPE, [setting, "seed=9"]) == dataclasses.replace(override(RECIPE, [setting]), seed=9)


def test_nothing_and_several_in_turn():
    assert override(RECIPE, ()) is override(RECIPE, None) is RECIPE
    assert without_rows(["phases.0.image=32", "phases.image=32", "seed=1"]) == ["phases.image=32", "seed=1"]
    assert override(RECIPE, ["optimizer.kind=sgd", "optimizer.momentum=0.5"]).optimizer == Sgd(momentum=0.5)
    assert override(RECIPE, ["seed=1", "seed=2"]).seed == 2


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("sede=3", "--set sede=3: there is no setting 'sede'. Did you mean 'seed'?"),
        ("lr=3", "there is no setting 'lr'. Did you mean 'optimizer.lr'?"),
        ("drpout=0.2", "there is no setting 'drpout'. Did you mean 'phases.dropout'?"),
        ("phases.drop=0.2", "there is no setting 'phases.0.drop'. Did you mean 'phases.dropout'?"),
        ("optimiser.lr=3", "there is no setting 'optimiser'. Did you mean 'optimizer.lr'?"),
        ("optimizer.momentum=3", "'optimizer.momentum'. Another kind has it: set optimizer.kind first."),
        ("phases.7.image=96", "phases has rows 0 to 2, no 7"),
        ("seed", "give key=value"),
        ("=3", "give key=value"),
        ("seed=x", "seed is 'x'"),
        ("bn_frozen=yes", "bn_frozen is 'yes'"),
        ("phases.image=8", "image is 8; allowed: greater"),
        ("seed.x=1", "there is no setting 'seed.x'"),
        ("optimizer.kind=adam", "Did you mean 'adamw'?"),
        ("preprocess.crp=1", "crp"),
        ("seed=NaN", "seed is nan"),
        ("qqq=1", "recipe.json"),
    ],
)
def test_wrong_ones_get_the_nearest_name(setting, said):
    with pytest.raises(SettingError) as refused:
        override(RECIPE, [setting])
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_side_in_use_is_eval_image():
    with pytest.raises(SettingError, match="eval_image=288"):
        override(Recipe(), ["preprocess.image=288"])
